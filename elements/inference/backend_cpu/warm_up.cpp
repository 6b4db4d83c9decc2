#include "elements/inference/backend_cpu/warm_up.hpp"

#include "elements/inference/backend_cpu/model.hpp"
#include "model_registry/models/nn/conv_norm_activation.hpp"

namespace tv::inference {
namespace {

using namespace nn;

constexpr int kChannels = 8;
constexpr int kClasses = 4;
constexpr int kSide = 32;  // pixels

class EveryOperator final : public Module {
 public:
  explicit EveryOperator(Build& build) {
    stem_ =
        add("stem", conv_norm_activation<ReLU>(build, 3, kChannels, {.kernel = 7, .stride = 2}));
    pool_ = add("pool", std::make_unique<MaxPool2d>(MaxPool2dOptions{.kernel = 3}));
    depthwise_ = add("depthwise", conv_norm_activation<ReLU6>(build, kChannels, kChannels,
                                                              {.groups = kChannels}));
    project_ = add("project", std::make_unique<Conv2d>(build, kChannels, kChannels, 1));
    norm_ = add("norm", std::make_unique<BatchNorm2d>(build, 2 * kChannels));
    average_ = add("average", std::make_unique<AdaptiveAvgPool2d>(1));
    fc_ = add("fc", std::make_unique<Linear>(build, 2 * kChannels, kClasses));
    for_each([&](Module& module) {
      if (const auto* conv = dynamic_cast<Conv2d*>(&module)) {
        build.kaiming_normal(conv->weight(), Build::Fan::kOut);
        build.trunc_normal(conv->weight(), 0, 0.02);
      }
    });
  }

  Value forward(Value x) const override {
    x = pool_(stem_(x));
    const Value kept = graph::relu(x + project_(depthwise_(x)));  // its residual is read again
    const Value last = graph::relu(project_(kept) + kept);
    x = graph::relu6(norm_(graph::cat({kept, last})));
    return fc_(graph::dropout(graph::flatten(average_(x))));
  }

 private:
  Ref<Sequential> stem_, depthwise_;
  Ref<MaxPool2d> pool_;
  Ref<Conv2d> project_;
  Ref<BatchNorm2d> norm_;
  Ref<AdaptiveAvgPool2d> average_;
  Ref<Linear> fc_;
};

}  // namespace

Status run_every_operator() {
  Build build;
  auto root = std::make_unique<EveryOperator>(build);
  LoadRequest request;
  request.network = std::make_shared<const graph::Network>("warm-up", std::move(build),
                                                           std::move(root), kClasses);
  const std::vector<float> black(std::size_t{3} * kSide * kSide);
  for (const Executor executor : {Executor::kReference, Executor::kFused}) {
    request.executor = executor;
    TV_ASSIGN_OR_RETURN(const auto model, load_cpu_model(request));
    TV_RETURN_IF_ERROR(model->run(black, {1, 3, kSide, kSide}));
  }
  return {};
}

}  // namespace tv::inference
