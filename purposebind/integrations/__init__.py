"""What binds purposes to the frameworks of a service, one module and one extra for each."""
