"""Build a network for a board, as a bundle (see ``hotpath.runtime.networks.bundle``).

The files are the steps, in the order in which a build takes them:

    engine_command    the program ``hotpath engine``
    order       what is to be built, and whether the board can run it
    engines     one file for each engine that needs more than the network's own files
    prepared    what of a TensorRT build can be made off the board, as a folder
    plans       TensorRT's builder, on the board
    writer      writes the bundle's folder, whole or not at all
"""
