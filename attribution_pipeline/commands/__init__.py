"""One module per command, each with ``register(app)``; listed in ``cli.COMMAND_MODULES``.

Belongs here: options, what is printed, which exit status. Does not: any rule about money, or an
import at the top of a module that takes longer than the answer to ``--help`` may.
"""
