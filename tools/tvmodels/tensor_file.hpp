// Single tensors in files, as Python's torch.save and torch.load exchange them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model_registry/checkpoint/tensor.hpp"
#include "model_registry/error.hpp"

namespace tv::cli {

/// A file that holds one tensor of this type and number of dimensions.
/// Fails: as read_file() and read_checkpoint(); InvalidArgument when the file holds something else.
Result<TensorView> read_tensor(const std::string& path, DType dtype, std::size_t dimensions);

/// Writes float32 values in row-major order.
Status write_floats(const std::string& path, std::vector<float> values, Shape shape);

}  // namespace tv::cli
