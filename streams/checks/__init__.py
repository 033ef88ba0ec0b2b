"""May it be sent to this customer? One check of the audience a file, in the order of `order.py`."""
