#include <cstring>

#include "elements/inference/engine.hpp"
#include "tools/tvmodels/arguments.hpp"
#include "tools/tvmodels/choose.hpp"
#include "tools/tvmodels/tensor_file.hpp"

namespace tv::cli {
namespace {

constexpr Option kOptions[] = {
    kModelOption,
    kModelWeightsOption,
    kWeightsFileOption,
    kQuantizeOption,
    kSeedOption,
    kNumClassesOption,
    kImageSizeOption,
    kOfflineOption,
    {"executor", "WHICH", "fused (default) or reference: plain operators, one by one"},
    kDeviceOption,
    kPrecisionOption,
    {"input", "FILE", "float32 tensor [N, 3, H, W] saved by torch.save"},
    {"output", "FILE", "where the logits go: float32 tensor [N, classes] for torch.load"},
};

Status infer(const inference::ModelSpec& spec, const FetchOptions& options,
             const std::string& input, const std::string& output) {
  TV_ASSIGN_OR_RETURN(const TensorView tensor, read_tensor(input, DType::kFloat32, 4));
  if (tensor.sizes[1] != 3 || tensor.numel() == 0)
    return Error{Code::kInvalidArgument,
                 input + ": expected [N, 3, H, W] with at least one pixel, found " +
                     shape_text(tensor.sizes),
                 ""};
  const std::vector<std::byte> bytes = contiguous_bytes(tensor);
  std::vector<float> pixels(bytes.size() / sizeof(float));
  std::memcpy(pixels.data(), bytes.data(), bytes.size());
  TV_ASSIGN_OR_RETURN(const inference::ReadyModel ready, inference::load_model(spec, options));
  TV_ASSIGN_OR_RETURN(std::vector<float> logits, ready.model->run(pixels, tensor.sizes));
  const std::int64_t count = tensor.sizes[0];
  const std::int64_t classes = static_cast<std::int64_t>(logits.size()) / count;
  return write_floats(output, std::move(logits), {count, classes});
}

int run(const Arguments& arguments) {
  return with_model("run", arguments, {"input", "output"},
                    [&](const inference::ModelSpec& spec, const FetchOptions& options) {
                      return infer(spec, options, arguments.text("input"),
                                   arguments.text("output"));
                    });
}

}  // namespace

const Command kRun = {
    .name = "run",
    .operands = "",
    .min_operands = 0,
    .max_operands = 0,
    .summary = "Run a model on a tensor that Python saved, and save the logits for Python.",
    .details =
        "Without --weights and --weights-file the weights are random, those that torchvision makes "
        "after\n"
        "torch.manual_seed(N).\n",
    .options = kOptions,
    .run = run,
};

}  // namespace tv::cli
