"""The Kubernetes manifests, as far as they can be proven without a cluster."""
