// SqueezeNet (Iandola et al. 2016, arXiv 1602.07360) and the faster 1.1 of its authors' repository.
#include <memory>
#include <span>
#include <string_view>

#include "model_registry/models/families.hpp"
#include "model_registry/models/nn/layers.hpp"
#include "model_registry/models/nn/sequential.hpp"

namespace tv::models {
namespace {

using graph::cat;
using graph::flatten;
using graph::relu;
using namespace nn;

/// A fire module; squeeze 0 stands for the 3x3 stride 2 pooling between fire modules.
struct Fire {
  int squeeze, expand;  ///< channels; expand is of each of the two halves
};
constexpr Fire kPool = {0, 0};

// Table 1 of the paper; 1.1 has a smaller first convolution and pools earlier.
// clang-format off
constexpr Fire kFires1_0[] = {
    kPool, {16, 64}, {16, 64}, {32, 128},
    kPool, {32, 128}, {48, 192}, {48, 192}, {64, 256},
    kPool, {64, 256},
};
constexpr Fire kFires1_1[] = {
    kPool, {16, 64}, {16, 64},
    kPool, {32, 128}, {32, 128},
    kPool, {48, 192}, {48, 192}, {64, 256}, {64, 256},
};
struct Variant {
  std::string_view builder;
  int stem_channels, stem_kernel;
  std::span<const Fire> fires;
  int min_size;
};
constexpr Variant kVariants[] = {
    {"squeezenet1_0", 96, 7, kFires1_0, 21},
    {"squeezenet1_1", 64, 3, kFires1_1, 17},
};
// clang-format on

class FireModule final : public Module {
 public:
  FireModule(Build& build, int in, const Fire& fire) {
    squeeze_ = add("squeeze", std::make_unique<Conv2d>(build, in, fire.squeeze, 1));
    expand1x1_ = add("expand1x1", std::make_unique<Conv2d>(build, fire.squeeze, fire.expand, 1));
    expand3x3_ = add("expand3x3", std::make_unique<Conv2d>(build, fire.squeeze, fire.expand, 3,
                                                           Conv2dOptions{.padding = 1}));
  }

  Value forward(Value x) const override {  // [N, in, H, W] -> [N, 2 * expand, H, W]
    x = relu(squeeze_(x));
    const Value narrow = relu(expand1x1_(x));
    return cat({narrow, relu(expand3x3_(x))});
  }

 private:
  Ref<Conv2d> squeeze_, expand1x1_, expand3x3_;
};

class SqueezeNet final : public Module {
 public:
  SqueezeNet(Build& build, const Variant& variant, int num_classes) {
    auto features = std::make_unique<Sequential>();
    features->emplace<Conv2d>(build, 3, variant.stem_channels, variant.stem_kernel,
                              Conv2dOptions{.stride = 2});
    features->emplace<ReLU>();
    int channels = variant.stem_channels;
    for (const Fire& fire : variant.fires) {
      if (fire.squeeze == 0) {
        features->emplace<MaxPool2d>(MaxPool2dOptions{.kernel = 3, .stride = 2, .ceil_mode = true});
      } else {
        features->emplace<FireModule>(build, channels, fire);
        channels = 2 * fire.expand;
      }
    }
    features_ = add("features", std::move(features));

    auto classifier = std::make_unique<Sequential>();
    classifier->emplace<Dropout>();
    const auto final_conv = classifier->emplace<Conv2d>(build, channels, num_classes, 1);
    classifier->emplace<ReLU>();
    classifier->emplace<AdaptiveAvgPool2d>(1);
    classifier_ = add("classifier", std::move(classifier));
    initialise(build, *final_conv);
  }

  Value forward(Value x) const override {  // [N, 3, H, W]
    x = features_(x);                      // [N, 512, H/16, W/16]
    return flatten(classifier_(x));        // [N, classes]
  }

 private:
  void initialise(Build& build, const Conv2d& final_conv) {
    for_each([&](Module& module) {
      const auto* conv = dynamic_cast<Conv2d*>(&module);
      if (!conv) return;
      if (conv == &final_conv) {
        build.normal(conv->weight(), 0, 0.01);
      } else {
        build.kaiming_uniform(conv->weight(), 0);
      }
      build.constant(conv->bias(), 0);
    });
  }

  Ref<Sequential> features_, classifier_;
};

}  // namespace

std::vector<ModelRow> squeezenet_models() {
  std::vector<ModelRow> rows;
  for (const Variant& variant : kVariants) {
    rows.push_back({variant.builder,
                    variant.min_size,
                    [&variant](Build& build, const ModelConfig& config) {
                      return std::make_unique<SqueezeNet>(build, variant, config.num_classes);
                    },
                    {{Option::kDropout}}});
  }
  return rows;
}

}  // namespace tv::models
