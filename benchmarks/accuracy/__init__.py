"""How well detectors find labelled faces: `fer-bench accuracy`."""
