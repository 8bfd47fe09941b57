"""Post-training quantisation to int8, as Q/DQ pairs in the graph.

Convolutions compute in int8: weights a scale a channel, activations a symmetric scale a
tensor, biases left in float, which is what TensorRT asks for (Jacob et al., arXiv 1712.05877;
Wu et al., arXiv 2004.09602). The float network is observed on pictures (`observe`), its channels
are brought to like ranges (`equalise`), steps chosen and biases corrected (`layers`), pairs set
(`pairs`), and the layers that cost most of the accuracy left in half (`search`), until what the
network finds is what it found (`agreement`).

Not made with ONNX Runtime's quantizer, which neither equalises channels nor corrects biases:
so it left expression and published detector too far off. Nor with NNCF (3.4): behind a ReLU it
writes unsigned activations, which TensorRT refuses, and does not take signed ones as an option.
"""

from .network import Quantised, quantise, quantised

__all__ = ["Quantised", "quantise", "quantised"]
