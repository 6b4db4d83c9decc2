// What one weights entry means: plain data, no behaviour beyond look-up.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace tv {

enum class Interpolation : std::uint8_t { kBilinear, kBicubic };

/// torchvision's InterpolationMode values: "bilinear", "bicubic".
constexpr std::string_view interpolation_name(Interpolation mode) {
  return mode == Interpolation::kBilinear ? "bilinear" : "bicubic";
}

inline constexpr std::array<double, 3> kImageNetMean = {0.485, 0.456, 0.406};
inline constexpr std::array<double, 3> kImageNetStd = {0.229, 0.224, 0.225};

/// The recipe of torchvision.transforms._presets.ImageClassification: resize the shorter side to
/// resize_size, cut crop_size x crop_size from the centre, divide by 255, subtract mean, divide by
/// std (RGB order).
struct Transforms {
  int crop_size = 224;    ///< pixels, 1..16384
  int resize_size = 256;  ///< pixels of the shorter side, 1..16384
  Interpolation interpolation = Interpolation::kBilinear;
  bool antialias = true;
  std::array<double, 3> mean = kImageNetMean;  ///< of values in 0..1
  std::array<double, 3> std = kImageNetStd;    ///< never 0

  bool operator==(const Transforms&) const = default;
  /// torchvision's describe() in one line, for people.
  std::string describe() const;
};

/// Keyword overrides of a recipe, as in Python's `weights.transforms(crop_size=400,
/// resize_size=400)`.
struct TransformsOverrides {
  std::optional<int> crop_size = {};
  std::optional<int> resize_size = {};
  std::optional<Interpolation> interpolation = {};
  std::optional<bool> antialias = {};
  std::optional<std::array<double, 3>> mean = {};
  std::optional<std::array<double, 3>> std = {};
};

class MetaMap;

/// One value of a weights entry's meta. monostate is Python's None.
using MetaValue = std::variant<std::monostate, std::int64_t, double, std::string_view,
                               std::pair<int, int>,                // height, width in pixels
                               std::span<const std::string_view>,  // categories, index = class
                               std::shared_ptr<const MetaMap>>;    // nested mapping

/// A mapping in a stable order.
class MetaMap {
 public:
  using Item = std::pair<std::string_view, MetaValue>;
  MetaMap() = default;
  explicit MetaMap(std::vector<Item> items) : items_(std::move(items)) {}

  /// nullptr when the key is absent.
  const MetaValue* find(std::string_view key) const {
    for (const auto& item : items_)
      if (item.first == key) return &item.second;
    return nullptr;
  }
  auto begin() const { return items_.begin(); }
  auto end() const { return items_.end(); }
  std::size_t size() const { return items_.size(); }

 private:
  std::vector<Item> items_;
};

/// A published or user-defined set of weights: one row of model_registry/weights/. All views point
/// to storage that lives as long as the process. NaN accuracies and absent strings (empty views)
/// mean "not published".
struct Weights {
  std::string_view enum_name = {};     ///< "ResNet50_Weights"
  std::string_view entry = {};         ///< "IMAGENET1K_V2"
  std::string_view builder = {};       ///< "resnet50", "quantized_resnet50"
  std::string_view architecture = {};  ///< torchvision's network class, "ResNet", also for ResNeXt
  bool is_default = false;             ///< the entry that DEFAULT stands for
  std::string_view url = {};           ///< https, empty for a local file
  std::string_view file = {};          ///< absolute path of a user-defined local file, else empty
  /// lower-case hex of the file's sha256: all 64 digits where known, otherwise the prefix from the
  /// file name (8 or 10 digits: a transmission check, not security), or empty.
  std::string_view sha256 = {};
  Transforms preset = {};
  std::span<const std::string_view> categories = {};  ///< empty = None (VGG16 FEATURES)
  /// Module whose tensors the file has without values, all of them NaN ("classifier" of VGG16
  /// FEATURES, which is for feature extraction); else empty.
  std::string_view without_values = {};
  std::int64_t num_params = 0;
  int min_size = 1;  ///< smallest height and width, pixels; the only one where takes_one_size()
  std::string_view dataset = "ImageNet-1K";  ///< what the accuracies were measured on
  double acc1 = 0;                           ///< top-1 accuracy, percent
  double acc5 = 0;                           ///< top-5 accuracy, percent
  double gflops = 0;                         ///< `_ops`: multiply-adds of one image / 1e9
  double file_size_mib = 0;                  ///< `_file_size`: bytes / 2^20
  std::string_view recipe = {};              ///< link to the training recipe
  std::string_view license = {};             ///< link, empty unless not the project's own
  std::string_view docs = {};                ///< `_docs`: torchvision's paragraph about the entry
  std::string_view backend = {};             ///< quantized entries: "fbgemm" or "qnnpack"
  std::string_view unquantized = {};         ///< quantized entries: name of the float entry
  bool user_defined = false;

  /// "ResNet50_Weights.IMAGENET1K_V2"
  std::string name() const;
  /// Number of classes the head has: categories, or 1000 where the entry has none.
  int num_classes() const {
    return categories.empty() ? 1000 : static_cast<int>(categories.size());
  }
  /// The file's name in the cache: last component of `url` or `file`.
  std::string_view file_name() const;
  /// The preset with overrides. Pure; validation is make_plan()'s.
  Transforms transforms(const TransformsOverrides& overrides = {}) const;
  /// Everything known, in a stable order: torchvision's own keys (num_params, min_size, categories,
  /// recipe, _metrics, _ops, _file_size, _docs, and license, backend, unquantized where torchvision
  /// has them), then the flat keys task, architecture, size, interpolation, acc@1, acc@5 of the
  /// API's announcement.
  MetaMap meta() const;
};

/// Whether the builder's network is made for images of one size, so that another size makes another
/// network: Vision Transformers and MaxViT.
bool takes_one_size(const Weights& weights);

/// Whether a tensor, by its name, lies in a module without values (Weights::without_values).
bool lacks_values(std::string_view tensor, std::string_view without_values);

}  // namespace tv
