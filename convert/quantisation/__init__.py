"""Post-training quantisation to int8, as Q/DQ pairs in the graph.

Convolutions compute in int8: weights a scale a channel, activations a symmetric scale a
tensor, biases left in float, which is what TensorRT asks for (Jacob et al., arXiv 1712.05877;
Wu et al., arXiv 2004.09602). The float network is observed on pictures (`observe`), its channels
are brought to like ranges (`equalise`), scales chosen and pairs set (`scales`, `pairs`), biases
corrected (`bias`), and the layers that cost most of the accuracy left in half (`search`), until
what the network finds is what it found (`agreement`).

ONNX Runtime's quantizer and NNCF do parts of this. The one equalises no channels, and the other
brings its own runtime types and needs a rewrite for TensorRT; what is here is less than the
adapters would be.
"""

from .network import Quantised, quantise, quantised

__all__ = ["Quantised", "quantise", "quantised"]
