"""Encoders: columns of text in, L2-normalised float32 vectors out.

Here live the `Encoder` protocol and `load_encoder` (`base`), the bundled CPU encoder `static-zh` (`static_zh`, its
tables in the folder `static_zh/`, the kernel over Arrow buffers in `kernel`), the script that builds those tables
(`distill`), multilingual-e5-small in 4 bits (`e5`) and any sentence-transformers model (`sentence`). What a similarity
means — thresholds, calibration — does not live here, nor does search.
"""
