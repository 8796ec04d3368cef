"""GPU environment: variables that torch reads when it first uses CUDA, for every process of a run. Imports no torch."""

GPU_ENVIRONMENT = {
    "PYTORCH_ALLOC_CONF": "expandable_segments:True",  # caches that grow token by token fragment memory otherwise
    # As `choose_attention_kernels` does in processes that load models here: for engines that load their own.
    "TORCH_CUDNN_SDPA_DEPRIORITIZED": "1",
}
