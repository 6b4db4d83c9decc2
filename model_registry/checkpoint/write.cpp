// The door for writing: the archive that torch.save would make.
#include <exception>
#include <set>

#include "model_registry/checkpoint/atomic_file.hpp"
#include "model_registry/checkpoint/checkpoint.hpp"
#include "model_registry/checkpoint/fault.hpp"
#include "model_registry/checkpoint/pickle_writer.hpp"
#include "model_registry/checkpoint/zip_writer.hpp"

namespace tv {
namespace {

using checkpoint::PickleWriter;

// The archive's folder: the file's name without its extension, as torch.save takes it.
std::string folder_of(const std::string& path) {
  std::string name = path.substr(path.find_last_of('/') + 1);
  const std::size_t dot = name.find_last_of('.');
  if (dot != name.npos && dot > 0) name.resize(dot);
  const bool usable = !name.empty() && name != "." && name != ".." && name.size() <= 255 &&
                      name.find('\\') == name.npos && checkpoint::valid_utf8(name);
  return usable ? name : "archive";
}

Status check_tensor(const std::string& path, const std::string& name, const TensorView& view) {
  const auto invalid = [&](std::string_view what) {
    return Error{Code::kInvalidArgument,
                 checkpoint::printable(path) + ": tensor " + checkpoint::quoted(name) + ": " +
                     std::string(what),
                 ""};
  };
  const bool quantized =
      view.dtype == DType::kQInt8 || view.dtype == DType::kQUInt8 || view.dtype == DType::kQInt32;
  if (view.sizes.size() != view.strides.size())
    return invalid("as many strides as sizes are expected");
  if (quantized != view.quantization.has_value())
    return invalid("only quantised dtypes have quantisers, and all of them");
  if (!checkpoint::valid_utf8(name)) return invalid("its name is not UTF-8");
  if (!quantized) return {};
  const Quantization& q = *view.quantization;
  std::size_t channels = 1;
  if (q.axis >= static_cast<std::int64_t>(view.sizes.size()))
    return invalid("its quantiser's axis is no dimension");
  if (q.axis >= 0)
    channels = static_cast<std::size_t>(view.sizes[static_cast<std::size_t>(q.axis)]);
  if (q.scales.size() != channels || q.zero_points.size() != channels)
    return invalid("one scale and one zero point a channel are expected");
  return {};
}

Status write_archive(const std::string& path, PickleWriter& writer) {
  checkpoint::AtomicFile file;
  TV_RETURN_IF_ERROR(file.open(path));
  checkpoint::ZipWriter zip(file, folder_of(path));
  TV_RETURN_IF_ERROR(zip.add("data.pkl", std::string_view(writer.finish())));
  TV_RETURN_IF_ERROR(zip.add("byteorder", "little"));
  for (std::size_t i = 0; i < writer.storages().size(); ++i) {
    const TensorView& view = writer.storages()[i];
    const std::string name = "data/" + std::to_string(i);
    if (view.is_contiguous()) {
      const std::size_t size = static_cast<std::size_t>(view.numel()) * dtype_size(view.dtype);
      TV_RETURN_IF_ERROR(zip.add(name, std::span(view.data, size)));
    } else {
      TV_RETURN_IF_ERROR(zip.add(name, std::span<const std::byte>(contiguous_bytes(view))));
    }
  }
  TV_RETURN_IF_ERROR(zip.add("version", "3\n"));
  TV_RETURN_IF_ERROR(zip.finish());
  return file.commit();
}

template <typename Write>
Status guarded(const std::string& path, Write write) {
  try {
    return write();
  } catch (const std::exception& e) {
    return Error{Code::kUnavailable,
                 checkpoint::printable(path) + ": cannot be written: " + e.what(), ""};
  }
}

}  // namespace

Status write_tensor(const std::string& path, const TensorView& tensor) {
  return guarded(path, [&]() -> Status {
    TV_RETURN_IF_ERROR(check_tensor(path, "", tensor));
    PickleWriter writer;
    writer.tensor(tensor);
    return write_archive(path, writer);
  });
}

Status write_state_dict(const std::string& path,
                        const std::vector<std::pair<std::string, TensorView>>& entries,
                        const std::map<std::string, std::int64_t>& versions) {
  return guarded(path, [&]() -> Status {
    std::set<std::string_view> names;
    for (const auto& [name, view] : entries) {
      TV_RETURN_IF_ERROR(check_tensor(path, name, view));
      if (!names.insert(name).second)
        return Error{
            Code::kInvalidArgument,
            checkpoint::printable(path) + ": two tensors are called " + checkpoint::quoted(name),
            ""};
    }
    for (const auto& [module, version] : versions)
      if (!checkpoint::valid_utf8(module))
        return Error{Code::kInvalidArgument,
                     checkpoint::printable(path) + ": the name of module " +
                         checkpoint::quoted(module) + ", version " + std::to_string(version) +
                         ", is not UTF-8",
                     ""};
    PickleWriter writer;
    writer.state_dict(entries, versions);
    return write_archive(path, writer);
  });
}

}  // namespace tv
