"""What the cases share: purposes and models, as a service has them."""
