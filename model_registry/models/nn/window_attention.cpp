#include "model_registry/models/nn/window_attention.hpp"

#include <cmath>
#include <utility>
#include <vector>

#include "model_registry/models/nn/multihead_attention.hpp"
#include "model_registry/models/nn/relative_position.hpp"

namespace tv::nn {
namespace {

using graph::cat;
using graph::constant;
using graph::parameter;

constexpr int kHiddenOfBias = 512;        // of cpb_mlp
constexpr double kMaxLogitScale = 100.0;  // V2, section 3.2
constexpr double kBiasRange = 16.0;
constexpr float kApart = -100.0F;  // added where two tokens were not neighbours before the shift

// How an image of tokens is cut.
struct Grid {
  std::int64_t window;
  std::int64_t height, width;     // padded, tokens
  std::int64_t shift_h, shift_w;  // tokens
  std::int64_t rows() const { return height / window; }
  std::int64_t columns() const { return width / window; }
  bool shifted() const { return shift_h > 0 || shift_w > 0; }
};

Grid make_grid(const Shape& in, const WindowAttentionOptions& options) {
  const std::int64_t window = options.window;
  Grid grid{.window = window,
            .height = (in[1] + window - 1) / window * window,
            .width = (in[2] + window - 1) / window * window,
            .shift_h = options.shift,
            .shift_w = options.shift};
  if (window >= grid.height) grid.shift_h = 0;
  if (window >= grid.width) grid.shift_w = 0;
  return grid;
}

Value pad_to(const Value& x, const Grid& grid) {
  const Shape& in = x.shape();
  if (in[1] == grid.height && in[2] == grid.width) return x;
  return pad(x, {.before = {0, 0, 0, 0}, .after = {0, grid.height - in[1], grid.width - in[2], 0}});
}

// [N, H, W, C] -> [N, windows, tokens, C]
Value to_windows(const Value& x, const Grid& grid) {
  const std::int64_t n = x.shape()[0], c = x.shape()[3], w = grid.window;
  const Value tiles = reshape(x, {n, grid.rows(), w, grid.columns(), w, c});
  return reshape(permute(tiles, {0, 1, 3, 2, 4, 5}), {n, -1, w * w, c});
}

Value from_windows(const Value& x, const Grid& grid) {
  const std::int64_t n = x.shape()[0], c = x.shape()[3], w = grid.window;
  const Value tiles = reshape(x, {n, grid.rows(), grid.columns(), w, w, c});
  return reshape(permute(tiles, {0, 1, 3, 2, 4, 5}), {n, grid.height, grid.width, c});
}

// Which of an axis's three stripes a token lies in, after the shift: tokens of different stripes
// meet in a window without being neighbours.
int stripe(std::int64_t at, std::int64_t size, std::int64_t window, std::int64_t shift) {
  if (shift == 0 || at >= size - shift) return 2;
  return at < size - window ? 0 : 1;
}

// [windows, 1, tokens, tokens]
Value shift_mask(const Value& like, const Grid& grid) {
  const std::int64_t tokens = grid.window * grid.window;
  std::vector<float> mask;
  mask.reserve(static_cast<std::size_t>(grid.height * grid.width * tokens));
  for (std::int64_t window = 0; window < grid.rows() * grid.columns(); ++window) {
    const auto region = [&](std::int64_t token) {
      const std::int64_t row = window / grid.columns() * grid.window + token / grid.window;
      const std::int64_t column = window % grid.columns() * grid.window + token % grid.window;
      return std::pair(stripe(row, grid.height, grid.window, grid.shift_h),
                       stripe(column, grid.width, grid.window, grid.shift_w));
    };
    for (std::int64_t i = 0; i < tokens; ++i)
      for (std::int64_t j = 0; j < tokens; ++j)
        mask.push_back(region(i) == region(j) ? 0.0F : kApart);
  }
  return constant(like, {grid.rows() * grid.columns(), 1, tokens, tokens}, std::move(mask));
}

}  // namespace

WindowAttention::WindowAttention(Build& build, SwinVersion version,
                                 const WindowAttentionOptions& options)
    : version_(version), options_(options) {
  const int channels = options.channels;
  qkv_ = add("qkv", std::make_unique<Linear>(build, channels, 3 * channels));
  proj_ = add("proj", std::make_unique<Linear>(build, channels, channels));
  define_tables(build);
  if (version == SwinVersion::kV1) return;
  logit_scale_ = add_tensor("logit_scale", build.parameter({options.heads, 1, 1}));
  build.constant(logit_scale_, std::log(10.0F));
  auto bias = std::make_unique<Sequential>();
  bias->emplace<Linear>(build, 2, kHiddenOfBias);
  bias->emplace<ReLU>();
  bias->emplace<Linear>(build, kHiddenOfBias, options.heads, false);
  cpb_mlp_ = add("cpb_mlp", std::move(bias));
}

void WindowAttention::define_tables(Build& build) {
  const int window = options_.window;
  const int distances = 2 * window - 1;
  if (version_ == SwinVersion::kV1) {
    bias_table_ = add_tensor("relative_position_bias_table",
                             build.parameter({distances * distances, options_.heads}));
    build.trunc_normal(bias_table_, 0, 0.02);
  } else {
    coords_table_ = add_tensor(
        "relative_coords_table",
        build.parameter({1, distances, distances, 2}, DType::kFloat32, /*is_buffer=*/true));
    build.values(coords_table_, log_spaced_coords(window, window));
  }
  const std::int64_t tokens = std::int64_t{window} * window;
  index_ = add_tensor("relative_position_index",
                      build.parameter({tokens * tokens}, DType::kInt64, /*is_buffer=*/true));
  build.values(index_, relative_position_index(window, window));
}

Value WindowAttention::forward(Value x) const {  // [N, H, W, C]
  const Shape in = x.shape();
  if (in.size() != 4)
    return x.trace().fail(x, graph::Op::kAttention,
                          "expects [N, H, W, C], found " + shape_text(in));
  const Grid grid = make_grid(in, options_);
  Value added = bias(x);
  x = pad_to(x, grid);
  if (grid.shifted()) {
    x = roll(x, {{0, -grid.shift_h, -grid.shift_w, 0}});
    added = added + shift_mask(x, grid);
  }
  x = from_windows(attend(to_windows(x, grid), added), grid);
  if (grid.shifted()) x = roll(x, {{0, grid.shift_h, grid.shift_w, 0}});
  if (grid.height > in[1]) x = slice(x, 1, 0, in[1]);
  if (grid.width > in[2]) x = slice(x, 2, 0, in[2]);
  return x;
}

// [1, heads, tokens, tokens]
Value WindowAttention::bias(const Value& x) const {
  const int tokens = options_.window * options_.window;
  if (version_ == SwinVersion::kV1)
    return relative_position_bias(parameter(x, bias_table_), index_, tokens);
  const Value rows = reshape(cpb_mlp_(parameter(x, coords_table_)), {-1, options_.heads});
  return scale(sigmoid(relative_position_bias(rows, index_, tokens)), kBiasRange);
}

// [N, windows, tokens, C] -> the same
Value WindowAttention::attend(const Value& windows, const Value& bias) const {
  if (version_ == SwinVersion::kV2) return cosine_attention(windows, bias);
  const auto [q, k, v] = split_heads(qkv_(windows), options_.heads);
  const double factor = 1 / std::sqrt(static_cast<double>(q.shape().back()));
  return proj_(join_heads(attention(q, k, v, factor, bias)));
}

// The cosines of queries and keys, each head with a factor of its own. Keys have no bias, whatever
// the file says.
Value WindowAttention::cosine_attention(const Value& windows, const Value& bias) const {
  const std::int64_t c = options_.channels;
  const Value given = parameter(windows, qkv_->bias());
  const Value none = constant(windows, {c}, std::vector<float>(static_cast<std::size_t>(c)));
  const Value used = cat({slice(given, 0, 0, c), none, slice(given, 0, 2 * c, 3 * c)}, 0);
  const auto [q, k, v] = split_heads(graph::linear(windows, qkv_->weight(), used), options_.heads);
  const Value factors = exp(clamp_max(parameter(windows, logit_scale_), std::log(kMaxLogitScale)));
  return proj_(join_heads(graph::cosine_attention(q, k, v, factors, bias)));
}

}  // namespace tv::nn
