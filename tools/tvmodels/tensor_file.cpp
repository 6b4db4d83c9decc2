#include "tools/tvmodels/tensor_file.hpp"

#include <memory>
#include <utility>

#include "model_registry/checkpoint/checkpoint.hpp"

namespace tv::cli {

Result<TensorView> read_tensor(const std::string& path, DType dtype, std::size_t dimensions) {
  TV_ASSIGN_OR_RETURN(const FileBytes file, read_file(path));
  TV_ASSIGN_OR_RETURN(const Checkpoint checkpoint, read_checkpoint(file));
  const std::string expected =
      std::string(dtype_name(dtype)) + " tensor of " + std::to_string(dimensions) + " dimensions";
  const bool bare = checkpoint.entries.size() == 1 && checkpoint.entries.front().first.empty();
  const TensorView* tensor = bare ? checkpoint.entries.front().second.tensor() : nullptr;
  if (tensor == nullptr)
    return Error{
        Code::kInvalidArgument,
        path + ": expected one " + expected + ", found " +
            (bare ? std::string("something else")
                  : "a mapping of " + std::to_string(checkpoint.entries.size()) + " entries"),
        "write it with torch.save(tensor, \"" + path + "\")"};
  if (tensor->dtype != dtype || tensor->sizes.size() != dimensions)
    return Error{Code::kInvalidArgument,
                 path + ": expected a " + expected + ", found " +
                     std::string(dtype_name(tensor->dtype)) + " " + shape_text(tensor->sizes),
                 tensor->dtype == dtype
                     ? "reshape it in Python, for one picture x[None]"
                     : "convert it in Python: x.to(torch." + std::string(dtype_name(dtype)) + ")"};
  return *tensor;
}

Status write_floats(const std::string& path, std::vector<float> values, Shape shape) {
  const auto storage = std::make_shared<const std::vector<float>>(std::move(values));
  TensorView view;
  view.dtype = DType::kFloat32;
  view.strides.resize(shape.size());
  std::int64_t step = 1;
  for (std::size_t i = shape.size(); i-- > 0; step *= shape[i]) view.strides[i] = step;
  view.sizes = std::move(shape);
  view.data = reinterpret_cast<const std::byte*>(storage->data());
  view.storage = storage;
  return write_tensor(path, view);
}

}  // namespace tv::cli
