"""The worker processes: Faust apps that decode, call the core, perform effects and acknowledge."""
