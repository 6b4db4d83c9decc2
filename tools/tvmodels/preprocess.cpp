#include "elements/preprocess/preprocess.hpp"

#include "model_registry/registry/registry.hpp"
#include "tools/tvmodels/arguments.hpp"
#include "tools/tvmodels/choose.hpp"
#include "tools/tvmodels/output.hpp"
#include "tools/tvmodels/tensor_file.hpp"

namespace tv::cli {
namespace {

constexpr std::int64_t kLargestSide = 16384;

constexpr Option kOptions[] = {
    {"weights", "NAME", "whose transforms"},
    {"crop-size", "PIXELS", "instead of the entry's own"},
    {"resize-size", "PIXELS", "instead of the entry's own"},
    {"interpolation", "MODE", "bilinear or bicubic, instead of the entry's own"},
    {"backend", "WHICH", "tensor (default): as on a uint8 tensor; pil: as on a PIL image"},
    {"input", "FILE", "uint8 tensor [3, H, W] saved by torch.save"},
    {"output", "FILE", "where the result goes: float32 tensor [1, 3, crop, crop] for torch.load"},
};

// What the options ask for, but for the entry.
struct Request {
  TransformsOverrides overrides;
  TransformsBackend backend = TransformsBackend::kTensor;
};

Result<Request> request(const Arguments& arguments) {
  TV_RETURN_IF_ERROR(arguments.require({"weights", "input", "output"}));
  TV_ASSIGN_OR_RETURN(const auto crop, arguments.number("crop-size", 1, kLargestSide));
  TV_ASSIGN_OR_RETURN(const auto resize, arguments.number("resize-size", 1, kLargestSide));
  Request request;
  if (crop) request.overrides.crop_size = static_cast<int>(*crop);
  if (resize) request.overrides.resize_size = static_cast<int>(*resize);
  const std::string mode = arguments.text("interpolation"),
                    backend = arguments.text("backend", "tensor");
  if (mode == "bilinear") request.overrides.interpolation = Interpolation::kBilinear;
  if (mode == "bicubic") request.overrides.interpolation = Interpolation::kBicubic;
  if (arguments.has("interpolation") && !request.overrides.interpolation)
    return Error{Code::kInvalidArgument,
                 "--interpolation is bilinear or bicubic, found \"" + mode + "\"", ""};
  if (backend == "pil") request.backend = TransformsBackend::kPil;
  if (backend != "pil" && backend != "tensor")
    return Error{Code::kInvalidArgument, "--backend is tensor or pil, found \"" + backend + "\"",
                 ""};
  return request;
}

// [3, H, W] -> rows of RGB pixels.
std::vector<std::uint8_t> interleaved(const TensorView& tensor) {
  const std::vector<std::byte> planes = contiguous_bytes(tensor);
  const std::size_t pixels = planes.size() / 3;
  std::vector<std::uint8_t> rgb(planes.size());
  for (std::size_t c = 0; c < 3; ++c)
    for (std::size_t i = 0; i < pixels; ++i)
      rgb[3 * i + c] = std::to_integer<std::uint8_t>(planes[c * pixels + i]);
  return rgb;
}

Status apply(const Weights& weights, const Request& request, const std::string& input,
             const std::string& output) {
  TV_ASSIGN_OR_RETURN(const TensorView tensor, read_tensor(input, DType::kUInt8, 3));
  const bool fits = tensor.sizes[0] == 3 && tensor.sizes[1] >= 1 &&
                    tensor.sizes[1] <= kLargestSide && tensor.sizes[2] >= 1 &&
                    tensor.sizes[2] <= kLargestSide;
  if (!fits)
    return Error{Code::kInvalidArgument,
                 input + ": expected [3, H, W] with sides of 1 to " + std::to_string(kLargestSide) +
                     ", found " + shape_text(tensor.sizes),
                 ""};
  const std::vector<std::uint8_t> rgb = interleaved(tensor);
  FrameView frame;
  frame.format = PixelFormat::kRgb;
  frame.height = frame.full_height = static_cast<int>(tensor.sizes[1]);
  frame.width = frame.full_width = static_cast<int>(tensor.sizes[2]);
  frame.planes[0] = {rgb.data(), std::ptrdiff_t{3} * frame.width};
  TV_ASSIGN_OR_RETURN(Plan plan, make_plan(weights.transforms(request.overrides), frame.width,
                                           frame.height, request.backend));
  const auto side = static_cast<std::size_t>(plan.crop_size);
  TV_ASSIGN_OR_RETURN(const auto preprocessor, make_preprocessor(std::move(plan)));
  std::vector<float> result(3 * side * side);
  TV_RETURN_IF_ERROR(preprocessor->run(frame, result));
  const auto length = static_cast<std::int64_t>(side);
  return write_floats(output, std::move(result), {1, 3, length, length});
}

int run(const Arguments& arguments) {
  warn_of_user_files();
  const auto wanted = request(arguments);
  if (!wanted) return report_usage(wanted.error(), "preprocess");
  const auto weights = resolve_weights(arguments.text("weights"));
  if (!weights) return report(weights.error());
  const Status status =
      apply(**weights, *wanted, arguments.text("input"), arguments.text("output"));
  return status ? static_cast<int>(kOk) : report(status.error());
}

}  // namespace

const Command kPreprocess = {
    .name = "preprocess",
    .operands = "",
    .min_operands = 0,
    .max_operands = 0,
    .summary = "Apply an entry's transforms to a picture that Python saved as a tensor.",
    .details = "The result equals weights.transforms()(picture) bit for bit.\n",
    .options = kOptions,
    .run = run,
};

}  // namespace tv::cli
