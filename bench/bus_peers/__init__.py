"""Events through RabbitMQ, in Skerry and in what else there is: each in a file of its own.

Every one of them is run as ``consume`` or as ``publish``, in its own environment, and knows of
the others nothing but ``common``, which imports the standard library alone.
"""
