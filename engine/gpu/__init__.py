"""The stages on the GPU: a frame goes up once, boxes and probabilities come back."""
