#include "model_registry/checkpoint/globals.hpp"

#include <algorithm>
#include <array>

namespace tv::checkpoint {
namespace {

// clang-format off
constexpr std::array kGlobals = {
    GlobalRow{"torch._utils",       "_rebuild_tensor_v2",  GlobalId::kRebuildTensorV2},
    GlobalRow{"collections",        "OrderedDict",         GlobalId::kOrderedDict},
    GlobalRow{"torch._utils",       "_rebuild_tensor",     GlobalId::kRebuildTensor},
    GlobalRow{"torch._utils",       "_rebuild_parameter",  GlobalId::kRebuildParameter},
    GlobalRow{"torch._utils",       "_rebuild_qtensor",    GlobalId::kRebuildQTensor},
    GlobalRow{"torch",              "Size",                GlobalId::kSize},
    GlobalRow{"torch.nn.parameter", "Parameter",           GlobalId::kParameter},
    GlobalRow{"torch",              "per_tensor_affine",   GlobalId::kPerTensorAffine},
    GlobalRow{"torch",              "per_channel_affine",  GlobalId::kPerChannelAffine},
    GlobalRow{"argparse",           "Namespace",           GlobalId::kNamespace},
    GlobalRow{"torch",      "FloatStorage",    GlobalId::kStorageType, DType::kFloat32},
    GlobalRow{"torch",      "DoubleStorage",   GlobalId::kStorageType, DType::kFloat64},
    GlobalRow{"torch",      "HalfStorage",     GlobalId::kStorageType, DType::kFloat16},
    GlobalRow{"torch",      "BFloat16Storage", GlobalId::kStorageType, DType::kBFloat16},
    GlobalRow{"torch",      "LongStorage",     GlobalId::kStorageType, DType::kInt64},
    GlobalRow{"torch",      "IntStorage",      GlobalId::kStorageType, DType::kInt32},
    GlobalRow{"torch",      "ShortStorage",    GlobalId::kStorageType, DType::kInt16},
    GlobalRow{"torch",      "CharStorage",     GlobalId::kStorageType, DType::kInt8},
    GlobalRow{"torch",      "ByteStorage",     GlobalId::kStorageType, DType::kUInt8},
    GlobalRow{"torch",      "BoolStorage",     GlobalId::kStorageType, DType::kBool},
    GlobalRow{"torch",      "QInt8Storage",    GlobalId::kStorageType, DType::kQInt8},
    GlobalRow{"torch",      "QUInt8Storage",   GlobalId::kStorageType, DType::kQUInt8},
    GlobalRow{"torch",      "QInt32Storage",   GlobalId::kStorageType, DType::kQInt32},
    GlobalRow{"torch.cuda", "FloatStorage",    GlobalId::kStorageType, DType::kFloat32},
    GlobalRow{"torch.cuda", "DoubleStorage",   GlobalId::kStorageType, DType::kFloat64},
    GlobalRow{"torch.cuda", "HalfStorage",     GlobalId::kStorageType, DType::kFloat16},
    GlobalRow{"torch.cuda", "BFloat16Storage", GlobalId::kStorageType, DType::kBFloat16},
    GlobalRow{"torch.cuda", "LongStorage",     GlobalId::kStorageType, DType::kInt64},
    GlobalRow{"torch.cuda", "IntStorage",      GlobalId::kStorageType, DType::kInt32},
    GlobalRow{"torch.cuda", "ShortStorage",    GlobalId::kStorageType, DType::kInt16},
    GlobalRow{"torch.cuda", "CharStorage",     GlobalId::kStorageType, DType::kInt8},
    GlobalRow{"torch.cuda", "ByteStorage",     GlobalId::kStorageType, DType::kUInt8},
    GlobalRow{"torch.cuda", "BoolStorage",     GlobalId::kStorageType, DType::kBool},
    GlobalRow{"torch", "float32",  GlobalId::kDType, DType::kFloat32},
    GlobalRow{"torch", "float64",  GlobalId::kDType, DType::kFloat64},
    GlobalRow{"torch", "float16",  GlobalId::kDType, DType::kFloat16},
    GlobalRow{"torch", "bfloat16", GlobalId::kDType, DType::kBFloat16},
    GlobalRow{"torch", "int64",    GlobalId::kDType, DType::kInt64},
    GlobalRow{"torch", "int32",    GlobalId::kDType, DType::kInt32},
    GlobalRow{"torch", "int16",    GlobalId::kDType, DType::kInt16},
    GlobalRow{"torch", "int8",     GlobalId::kDType, DType::kInt8},
    GlobalRow{"torch", "uint8",    GlobalId::kDType, DType::kUInt8},
    GlobalRow{"torch", "bool",     GlobalId::kDType, DType::kBool},
    GlobalRow{"torch", "qint8",    GlobalId::kDType, DType::kQInt8},
    GlobalRow{"torch", "quint8",   GlobalId::kDType, DType::kQUInt8},
    GlobalRow{"torch", "qint32",   GlobalId::kDType, DType::kQInt32},
};
// clang-format on

}  // namespace

std::span<const GlobalRow> allowed_globals() {
  return kGlobals;
}

int find_global(std::string_view module, std::string_view name) {
  for (std::size_t i = 0; i < kGlobals.size(); ++i)
    if (kGlobals[i].module == module && kGlobals[i].name == name) return static_cast<int>(i);
  return -1;
}

bool is_module_class(std::string_view module) {
  // A script's own classes are nearly always its network.
  constexpr std::string_view kHomes[] = {"torch.nn.modules.",   "torch.nn.parallel.",
                                         "torchvision.models.", "torchvision.ops.",
                                         "timm.models.",        "__main__"};
  return std::ranges::any_of(kHomes,
                             [&](std::string_view home) { return module.starts_with(home); });
}

std::string_view storage_class(DType dtype) {
  for (const GlobalRow& row : kGlobals)
    if (row.id == GlobalId::kStorageType && row.dtype == dtype) return row.name;
  return {};
}

}  // namespace tv::checkpoint
