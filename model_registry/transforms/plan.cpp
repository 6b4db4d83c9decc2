#include "model_registry/transforms/plan.hpp"

#include <algorithm>
#include <cmath>

#include "model_registry/transforms/taps.hpp"

namespace tv {
namespace {

Error invalid(std::string what, std::string hint) {
  return Error{Code::kInvalidArgument, std::move(what), std::move(hint)};
}

Status check_side(std::string_view name, int value) {
  if (value >= 1 && value <= kMaxSide) return {};
  return invalid(std::string(name) + " is " + std::to_string(value) + ", expected 1.." +
                     std::to_string(kMaxSide) + " pixels",
                 "");
}

Status check_recipe(const Transforms& recipe) {
  TV_RETURN_IF_ERROR(check_side("crop_size", recipe.crop_size));
  TV_RETURN_IF_ERROR(check_side("resize_size", recipe.resize_size));
  for (std::size_t c = 0; c < 3; ++c) {
    const auto mean = static_cast<float>(recipe.mean[c]);
    const auto deviation = static_cast<float>(recipe.std[c]);
    if (!std::isfinite(mean) || !std::isfinite(deviation))
      return invalid("mean or std of channel " + std::to_string(c) + " is not a finite float32",
                     "");
    if (deviation == 0.0f)
      return invalid("std of channel " + std::to_string(c) + " is 0 in float32",
                     "values are divided by it");
  }
  return {};
}

// Python's round() of n / 2 for n >= 0: half to even.
int round_half(int n) {
  const int floor = n / 2;
  return n % 2 == 0 ? floor : floor + floor % 2;
}

// center_crop along one axis: where the crop begins in the resized picture.
int crop_begin(int resized, int crop) {
  return crop > resized ? -((crop - resized) / 2) : round_half(resized - crop);
}

AxisTaps make_taps(const Plan& plan, int source, int resized, int begin, int end) {
  if (source == resized) return identity_taps(source, begin, end);
  const AxisRequest request{source, resized, begin, end, plan.recipe.interpolation};
  if (plan.backend == TransformsBackend::kPil) return pil_taps(request);
  return plan.recipe.antialias ? tensor_taps(request, plan.sums)
                               : tensor_taps_without_antialias(request, plan.sums);
}

// Found by comparing Pillow 13.0.0's bytes with both orders.
bool pil_vertical_first(const Plan& plan) {
  if (plan.horizontal.identity || plan.vertical.identity) return false;
  const int removed_rows = plan.height - plan.resized_height;
  const int removed_columns = plan.width - plan.resized_width;
  return removed_rows > 0 && removed_rows > 2 * removed_columns;
}

// LibTorch 2.11.0's antialiased vertical pass takes the taps of row 0 for every row where the
// picture is one pixel wide: with such a width its loop runs along the rows. Equality with
// torchvision is the promise, so we do the same. Needs resize_size = 1; no published recipe comes
// near.
bool tensor_repeats_first_row(const Plan& plan) {
  return plan.backend == TransformsBackend::kTensor && plan.recipe.antialias &&
         plan.resized_width == 1 && !plan.vertical.identity;
}

// The vertical taps with those of output `output` of the resized picture in all places.
AxisTaps repeat_output(const Plan& plan, int output) {
  const AxisTaps one = make_taps(plan, plan.height, plan.resized_height, output, output + 1);
  AxisTaps all = one;
  for (int i = plan.y0 + 1; i < plan.y1; ++i) {
    all.first.push_back(one.first[0]);
    all.count.push_back(one.count[0]);
    all.separate.push_back(one.separate[0]);
    all.weights.insert(all.weights.end(), one.weights.begin(), one.weights.end());
  }
  return all;
}

void source_range(const AxisTaps& taps, int& begin, int& end) {
  begin = taps.source_size;
  end = 0;
  for (std::size_t i = 0; i < taps.first.size(); ++i) {
    begin = std::min(begin, std::max(taps.first[i], 0));
    end = std::max(end, std::min(taps.first[i] + taps.count[i], taps.source_size));
  }
}

}  // namespace

Result<Plan> make_plan(const Transforms& recipe, int width, int height, TransformsBackend backend,
                       FloatSums sums) {
  TV_RETURN_IF_ERROR(check_side("frame width", width));
  TV_RETURN_IF_ERROR(check_side("frame height", height));
  TV_RETURN_IF_ERROR(check_recipe(recipe));

  Plan plan;
  plan.recipe = recipe;
  plan.backend = backend;
  plan.sums = sums;
  plan.width = width;
  plan.height = height;

  // The shorter side becomes resize_size; the longer one is truncated, not rounded.
  const std::int64_t shorter = std::min(width, height), longer = std::max(width, height);
  const std::int64_t resized_longer = recipe.resize_size * longer / shorter;
  if (resized_longer * recipe.resize_size > kMaxResizedPixels)
    return invalid("a " + std::to_string(width) + "x" + std::to_string(height) +
                       " frame with its shorter side resized to " +
                       std::to_string(recipe.resize_size) + " has a longer side of " +
                       std::to_string(resized_longer) + ": more than 2^28 pixels",
                   "use a smaller resize_size or crop the frame first");
  plan.resized_width = width <= height ? recipe.resize_size : static_cast<int>(resized_longer);
  plan.resized_height = width <= height ? static_cast<int>(resized_longer) : recipe.resize_size;

  plan.crop_size = recipe.crop_size;
  plan.crop_left = crop_begin(plan.resized_width, plan.crop_size);
  plan.crop_top = crop_begin(plan.resized_height, plan.crop_size);
  plan.x0 = std::max(0, -plan.crop_left);
  plan.y0 = std::max(0, -plan.crop_top);
  plan.x1 = std::min(plan.crop_size, plan.resized_width - plan.crop_left);
  plan.y1 = std::min(plan.crop_size, plan.resized_height - plan.crop_top);

  plan.horizontal = make_taps(plan, width, plan.resized_width, plan.crop_left + plan.x0,
                              plan.crop_left + plan.x1);
  plan.vertical = make_taps(plan, height, plan.resized_height, plan.crop_top + plan.y0,
                            plan.crop_top + plan.y1);
  if (tensor_repeats_first_row(plan)) plan.vertical = repeat_output(plan, 0);
  plan.vertical_first = backend == TransformsBackend::kPil && pil_vertical_first(plan);
  source_range(plan.horizontal, plan.source_left, plan.source_right);
  source_range(plan.vertical, plan.source_top, plan.source_bottom);
  return plan;
}

}  // namespace tv
