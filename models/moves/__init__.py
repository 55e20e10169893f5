"""Talk moves: what a teacher's or student's sentence does in the conversation.

features (overlap with what was said before) and pairs (the text) feed network; training and
export make the weights, runtime reads them.
"""
