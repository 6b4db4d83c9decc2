// int8 numbers from float ones, as torch.ao.quantization makes them. Call inside guarded(). Both
// ask before each layer whether to go on, and fail with Cancelled.
#pragma once

#include <ATen/core/Generator.h>

#include "elements/inference/backend_torch/parameters.hpp"
#include "model_registry/graph/module.hpp"

namespace tv::inference {

/// torchvision.models.quantization.utils.quantize_model: folds batch norms, runs the float network
/// once on random pixels of `generator` [1, 3, 299, 299] and takes scales from what it sees: of
/// activations 0..127, of weights -128..127, for each output channel (fbgemm) or for all (qnnpack).
/// `floats`: of network.source(). Fails: InvalidArgument (trace).
Result<Parameters> calibrated_parameters(const graph::Network& network, const Parameters& floats,
                                         at::Generator generator,
                                         const CancelCheck& cancelled = {});

/// torch.ao.quantization.convert of a quantisation-aware network: scales are those that training
/// observed; a weight's observer looks once more unless the file says that it is off. `floats`: of
/// network.source(). Fails: BadCheckpoint where an observer holds no range.
Result<Parameters> converted_parameters(const graph::Network& network, const Parameters& floats,
                                        const CancelCheck& cancelled = {});

}  // namespace tv::inference
