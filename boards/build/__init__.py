"""Make a network ready for a board, as a bundle (see ``runtime.bundle``).

The files are the steps, in the order in which a build takes them:

    __main__    the command line
    order       what is to be built, and whether the board can run it
    engines     one file for each engine that needs more than the network's own files
    prepare     everything of a TensorRT build that can be made off the board
    prepared    the folder of what was prepared: written, read and checked
    on_board    what remains to be done on the board
    plans       TensorRT's builder
    remote      the same on a board at the other end of ssh
    writer      writes the bundle's folder, whole or not at all
"""
