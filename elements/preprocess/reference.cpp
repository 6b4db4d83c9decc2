// The oracle: one pixel at a time, in the words of the contracts (plan.hpp, color.hpp), no thought
// of speed.
#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "elements/preprocess/color.hpp"
#include "elements/preprocess/paths.hpp"

namespace tv::preprocess {
namespace {

// Reads 8-bit RGB pixels out of any format.
class PixelReader {
 public:
  explicit PixelReader(const FrameView& frame)
      : frame_(frame),
        info_(pixel_format_info(frame.format)),
        constants_(yuv_constants(frame.matrix, frame.range, info_.bits)) {}

  // x, y: pixel of the picture.
  Rgb read(int x, int y) const {
    const int column = frame_.crop_x + x, row = frame_.crop_y + y;
    if (!info_.yuv)
      return {to_byte(sample(0, column, row)), to_byte(sample(1, column, row)),
              to_byte(sample(2, column, row))};
    return yuv_to_rgb(constants_, sample(0, column, row), chroma16(1, column, row),
                      chroma16(2, column, row));
  }

 private:
  // index_x, index_y: sample of the component's own plane.
  std::int32_t sample(std::size_t component, int index_x, int index_y) const {
    const ComponentLayout& layout = info_.components[component];
    const auto& plane = frame_.planes[static_cast<std::size_t>(layout.plane)];
    const std::uint8_t* at = plane.data + index_y * plane.stride + layout.offset +
                             static_cast<std::ptrdiff_t>(index_x) * layout.step;
    if (info_.sample_bytes == 1) return at[0];
    return ((at[0] | at[1] << 8) >> info_.sample_shift) & 0x3ff;
  }

  // 16 times the chroma at a luma position of the planes.
  std::int32_t chroma16(std::size_t component, int column, int row) const {
    const ComponentLayout& layout = info_.components[component];
    const auto [left, right] = chroma_columns(frame_, layout);
    const auto [top, bottom] = chroma_lines(frame_, layout);
    const ChromaTap h =
        chroma_tap(column, layout.shift_x, frame_.chroma.horizontal_cosited, left, right);
    const ChromaTap v =
        chroma_tap(row, layout.shift_y, frame_.chroma.vertical_cosited, top, bottom);
    const auto in_row = [&](int index) {
      return h.near_weight * sample(component, h.near_index, index) +
             (4 - h.near_weight) * sample(component, h.far_index, index);
    };
    return v.near_weight * in_row(v.near_index) + (4 - v.near_weight) * in_row(v.far_index);
  }

  const FrameView& frame_;
  const PixelFormatInfo& info_;
  YuvConstants constants_;
};

// One kTensor output, in the order that plan.hpp prescribes. `source(k)` is tap k's value.
template <typename Source>
float float_sum(const AxisTaps& taps, std::size_t output, const Source& source) {
  const float* weights = taps.weights.data() + output * static_cast<std::size_t>(taps.stride);
  const int count = taps.count[output], separate = taps.separate[output];
  if (separate > 1) {
    float sum = source(0) * weights[0];
    for (int k = 1; k < separate; ++k) sum += source(k) * weights[k];
    for (int k = separate; k < count; ++k) sum = std::fma(source(k), weights[k], sum);
    return sum;
  }
  float sum = source(taps.lead) * weights[taps.lead];
  for (int k = 0; k < count; ++k)
    if (k != taps.lead) sum = std::fma(source(k), weights[k], sum);
  return sum;
}

// One kPil output: 0..255.
template <typename Source>
float fixed_sum(const AxisTaps& taps, std::size_t output, const Source& source) {
  const std::int32_t* weights = taps.fixed.data() + output * static_cast<std::size_t>(taps.stride);
  std::int32_t sum = 1 << 21;
  for (int k = 0; k < taps.count[output]; ++k)
    sum += static_cast<std::int32_t>(source(k)) * weights[k];
  return to_byte(sum >> 22);
}

template <typename Source>
float resample(const Plan& plan, const AxisTaps& taps, std::size_t output, const Source& source) {
  const int first = taps.first[output];
  const auto clamped = [&](int k) {
    return source(std::clamp(first + k, 0, taps.source_size - 1));
  };
  if (taps.identity) return source(first);
  return plan.backend == TransformsBackend::kPil ? fixed_sum(taps, output, clamped)
                                                 : float_sum(taps, output, clamped);
}

class Reference final : public Preprocessor {
 public:
  explicit Reference(Plan plan) : plan_(std::move(plan)), table_(normalize_table(plan_.recipe)) {}
  const Plan& plan() const override { return plan_; }

  Status run(const FrameView& frame, std::span<float> out) override {
    TV_RETURN_IF_ERROR(check_run(plan_, frame, out));
    const auto crop = static_cast<std::size_t>(plan_.crop_size);
    for (std::size_t c = 0; c < 3; ++c)
      std::fill_n(out.begin() + static_cast<std::ptrdiff_t>(c * crop * crop), crop * crop,
                  table_[c][0]);
    const PixelReader reader(frame);
    if (!plan_.vertical_first) resample_rows(reader);
    for (int y = 0; y < plan_.vertical.outputs(); ++y) {
      const Line line = plan_.vertical_first ? vertical_first(reader, y) : vertical_last(y);
      for (int x = 0; x < plan_.horizontal.outputs(); ++x) {
        const auto row = static_cast<std::size_t>(plan_.y0 + y);
        const auto column = static_cast<std::size_t>(plan_.x0 + x);
        for (std::size_t c = 0; c < 3; ++c)
          out[(c * crop + row) * crop + column] =
              table_[c][byte(line[static_cast<std::size_t>(x)][c])];
      }
    }
    return {};
  }

 private:
  using Pixel = std::array<float, 3>;  // R, G, B
  using Line = std::vector<Pixel>;

  static Pixel pixel(Rgb rgb) {
    return {static_cast<float>(rgb.r), static_cast<float>(rgb.g), static_cast<float>(rgb.b)};
  }

  // torchvision clamps for bicubic only; bilinear sums leave 0..255 by less than half a unit.
  static std::size_t byte(float value) {
    return to_byte(static_cast<std::int32_t>(std::nearbyint(value)));
  }

  // `line` holds the source pixels [source_left, source_right).
  Line horizontal_sums(const Line& line) const {
    Line sums(plan_.horizontal.first.size());
    for (std::size_t x = 0; x < sums.size(); ++x)
      for (std::size_t c = 0; c < 3; ++c)
        sums[x][c] = resample(plan_, plan_.horizontal, x, [&](int index) {
          return line[static_cast<std::size_t>(index - plan_.source_left)][c];
        });
    return sums;
  }

  // Every row that the vertical pass will see, resampled to the outputs' width.
  void resample_rows(const PixelReader& reader) {
    rows_.clear();
    for (int y = plan_.source_top; y < plan_.source_bottom; ++y) {
      Line line;
      for (int x = plan_.source_left; x < plan_.source_right; ++x)
        line.push_back(pixel(reader.read(x, y)));
      rows_.push_back(horizontal_sums(line));
    }
  }

  Line vertical_last(int y) const {
    Line sums(plan_.horizontal.first.size());
    for (std::size_t x = 0; x < sums.size(); ++x)
      for (std::size_t c = 0; c < 3; ++c)
        sums[x][c] = resample(plan_, plan_.vertical, static_cast<std::size_t>(y), [&](int index) {
          return rows_[static_cast<std::size_t>(index - plan_.source_top)][x][c];
        });
    return sums;
  }

  Line vertical_first(const PixelReader& reader, int y) const {
    Line line;
    for (int x = plan_.source_left; x < plan_.source_right; ++x) {
      Pixel sums;
      for (std::size_t c = 0; c < 3; ++c)
        sums[c] = resample(plan_, plan_.vertical, static_cast<std::size_t>(y),
                           [&](int index) { return pixel(reader.read(x, index))[c]; });
      line.push_back(sums);
    }
    return horizontal_sums(line);
  }

  Plan plan_;
  NormalizeTable table_;
  std::vector<Line> rows_;  // [source row - source_top][output]
};

}  // namespace

std::unique_ptr<Preprocessor> make_reference(Plan plan) {
  return std::make_unique<Reference>(std::move(plan));
}

}  // namespace tv::preprocess
