"""Event types: a change to what upstream may send is a change in this folder alone."""
