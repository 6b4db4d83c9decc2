// The fast path: rows become RGB as they are needed, strips of 16 of them are resampled
// horizontally into a ring of rows, and each output row is summed from the ring, normalised and
// stored.
#include <hwy/aligned_allocator.h>

#include <algorithm>
#include <type_traits>
#include <vector>

#include "elements/preprocess/cpu_kernels.hpp"
#include "elements/preprocess/cpu_rows.hpp"
#include "elements/preprocess/paths.hpp"

namespace tv::preprocess {
namespace {

// Rows that must be at hand for one output, at most.
int longest_span(const AxisTaps& taps) {
  int most = 0;
  for (std::size_t i = 0; i < taps.first.size(); ++i) {
    const int begin = std::max(taps.first[i], 0);
    most = std::max(most, std::min(taps.first[i] + taps.count[i], taps.source_size) - begin);
  }
  return most;
}

// An axis that is not resampled, as one tap of weight one: exact in both arithmetics.
AxisTaps with_weights(AxisTaps taps) {
  if (!taps.identity) return taps;
  const std::size_t outputs = taps.first.size();
  taps.stride = 1;
  taps.lead = 0;
  taps.count.assign(outputs, 1);
  taps.separate.assign(outputs, 1);
  taps.weights.assign(outputs, 1.0f);
  taps.fixed.assign(outputs, 1 << 22);
  return taps;
}

// Rows of three channels that are used in turn.
template <typename T>
class Ring {
 public:
  Ring(int rows, int width) : rows_(rows), stride_((width + 15) / 16 * 16) {
    values_.assign(static_cast<std::size_t>(rows_ * row_size()), T{});
  }
  T* row(int index) { return values_.data() + (index % rows_) * row_size(); }
  std::ptrdiff_t stride() const { return stride_; }  ///< from one channel to the next

 private:
  std::ptrdiff_t row_size() const { return 3 * stride_ + kPadding; }

  int rows_;
  std::ptrdiff_t stride_;
  std::vector<T> values_;
};

// T: float for kTensor, std::int32_t for kPil.
template <typename T>
class Fast final : public Preprocessor {
 public:
  explicit Fast(Plan plan)
      : plan_(std::move(plan)),
        horizontal_(with_weights(plan_.horizontal)),
        vertical_(with_weights(plan_.vertical)),
        width_(horizontal_.outputs()),
        window_(plan_.source_right - plan_.source_left),
        reader_(plan_),
        ring_(plan_.vertical_first ? 1 : longest_span(vertical_) + kStripRows, width_),
        source_ring_(plan_.vertical_first ? longest_span(vertical_) : 1,
                     plan_.vertical_first ? window_ : 1),
        strip_(static_cast<std::size_t>(3 * kStripRows * padded(window_))),
        columns_capacity_(columns_needed(horizontal_)),
        columns_(
            hwy::AllocateAligned<T>(static_cast<std::size_t>(columns_capacity_) * 3 * kStripRows)),
        lines_(kStripRows + 1, std::max(width_, plan_.vertical_first ? window_ : 0)),
        out_line_(static_cast<std::size_t>(padded(width_))) {}

  const Plan& plan() const override { return plan_; }

  Status run(const FrameView& frame, std::span<float> out) override {
    TV_RETURN_IF_ERROR(check_run(plan_, frame, out));
    pad(out);
    reader_.begin(frame);
    if (plan_.vertical_first)
      run_vertical_first(out);
    else
      run_horizontal_first(out);
    return {};
  }

 private:
  // Where the crop is larger than the picture: zero pixels, normalised.
  void pad(std::span<float> out) const {
    const auto crop = static_cast<std::size_t>(plan_.crop_size);
    if (plan_.x0 == 0 && plan_.y0 == 0 && plan_.x1 == plan_.crop_size &&
        plan_.y1 == plan_.crop_size)
      return;
    const NormalizeTable table = normalize_table(plan_.recipe);
    for (std::size_t c = 0; c < 3; ++c)
      std::fill_n(out.begin() + static_cast<std::ptrdiff_t>(c * crop * crop), crop * crop,
                  table[c][0]);
  }

  std::uint8_t* strip_row(int channel, int row) {
    return strip_.data() +
           static_cast<std::ptrdiff_t>(channel * kStripRows + row) * padded(window_);
  }

  void read_row(int y, int strip_index) {
    std::uint8_t* const rgb[3] = {strip_row(0, strip_index), strip_row(1, strip_index),
                                  strip_row(2, strip_index)};
    reader_.read(y, rgb);
  }

  void resample_strip_to(T* const rows[kStripRows], std::ptrdiff_t stride) {
    const Strip strip{strip_.data(), padded(window_), plan_.source_left};
    const Columns<T> columns{columns_.get(), columns_capacity_};
    resample_strip<T>(strip, horizontal_, columns, rows, stride);
  }

  // One output row: values to normalised floats in the caller's planes.
  void store(const T* values, std::ptrdiff_t stride, int y, std::span<float> out) {
    const auto crop = static_cast<std::ptrdiff_t>(plan_.crop_size);
    for (int c = 0; c < 3; ++c) {
      const auto channel = static_cast<std::size_t>(c);
      normalize_row<T>(values + c * stride, width_, static_cast<float>(plan_.recipe.mean[channel]),
                       static_cast<float>(plan_.recipe.std[channel]), out_line_.data());
      std::copy_n(out_line_.begin(), width_,
                  out.begin() + (c * crop + plan_.y0 + y) * crop + plan_.x0);
    }
  }

  // The rows of `ring` under output `y`, one a tap; rows beyond the picture repeat its edge.
  const std::vector<const T*>& rows_under(Ring<T>& ring, int y) {
    const auto output = static_cast<std::size_t>(y);
    rows_.clear();
    for (int k = 0; k < vertical_.count[output]; ++k)
      rows_.push_back(
          ring.row(std::clamp(vertical_.first[output] + k, 0, vertical_.source_size - 1)));
    return rows_;
  }

  int rows_end(int y) const {
    const auto output = static_cast<std::size_t>(y);
    return std::min(vertical_.first[output] + vertical_.count[output], vertical_.source_size);
  }

  void run_horizontal_first(std::span<float> out) {
    const std::ptrdiff_t stride = ring_.stride();
    int ready = plan_.source_top;  // rows above this one are in the ring
    for (int y = 0; y < vertical_.outputs(); ++y) {
      for (; ready < rows_end(y); ready += kStripRows) {
        T* rows[kStripRows];
        for (int r = 0; r < kStripRows; ++r) {
          const bool wanted = ready + r < plan_.source_bottom;
          if (wanted) read_row(ready + r, r);
          rows[r] = wanted ? ring_.row(ready + r) : lines_.row(r);
        }
        // The rows that nobody wants go to lines_, which has the ring's stride.
        resample_strip_to(rows, stride);
      }
      T* line = lines_.row(kStripRows);
      resample_rows<T>(rows_under(ring_, y).data(), vertical_, y, static_cast<int>(3 * stride),
                       line);
      store(line, stride, y, out);
    }
  }

  void run_vertical_first(std::span<float> out) {
    if constexpr (std::is_same_v<T, std::int32_t>) {
      int ready = plan_.source_top;
      for (int y0 = 0; y0 < vertical_.outputs(); y0 += kStripRows) {
        const int y1 = std::min(y0 + kStripRows, vertical_.outputs());
        for (int y = y0; y < y1; ++y) sum_source_rows(y, y - y0, ready);
        T* rows[kStripRows];
        for (int r = 0; r < kStripRows; ++r) rows[r] = lines_.row(r);
        resample_strip_to(rows, lines_.stride());
        for (int y = y0; y < y1; ++y) store(rows[y - y0], lines_.stride(), y, out);
      }
    }
  }

  // Output row `y` of the vertical pass, at the source's width, to row `strip_index` of the strip.
  void sum_source_rows(int y, int strip_index, int& ready) {
    const std::ptrdiff_t stride = source_ring_.stride();
    for (; ready < rows_end(y); ++ready) {
      read_row(ready, strip_index);
      for (int c = 0; c < 3; ++c)
        widen_row(strip_row(c, strip_index), window_, source_ring_.row(ready) + c * stride);
    }
    T* line = lines_.row(kStripRows);
    resample_rows<T>(rows_under(source_ring_, y).data(), vertical_, y, static_cast<int>(3 * stride),
                     line);
    for (int c = 0; c < 3; ++c) narrow_row(line + c * stride, window_, strip_row(c, strip_index));
  }

  Plan plan_;
  AxisTaps horizontal_, vertical_;
  int width_;   // outputs of a row
  int window_;  // source pixels of a row
  RowReader reader_;
  Ring<T> ring_;                     // horizontally resampled rows
  Ring<T> source_ring_;              // source rows, where the vertical pass comes first
  std::vector<std::uint8_t> strip_;  // [3][kStripRows][padded(window_)]
  int columns_capacity_;
  hwy::AlignedFreeUniquePtr<T[]> columns_;  // [3][columns_capacity_][kStripRows]
  Ring<T> lines_;                           // kStripRows rows and the line in work
  std::vector<float> out_line_;
  std::vector<const T*> rows_;
};

// The lowest instruction set that the kernels are compiled for (meson.build).
bool cpu_has_baseline() {
#if defined(__x86_64__) || defined(__i386__)
  return __builtin_cpu_supports("ssse3");
#else
  return true;
#endif
}

}  // namespace

std::unique_ptr<Preprocessor> make_fast(Plan plan) {
  if (!cpu_has_baseline()) return make_reference(std::move(plan));
  if (plan.backend == TransformsBackend::kPil)
    return std::make_unique<Fast<std::int32_t>>(std::move(plan));
  // Sums that are to be fused need the instruction; a CPU without it never asks for them by itself.
  if (plan.sums == FloatSums::kGrouped && !kernels_fuse()) return make_reference(std::move(plan));
  return std::make_unique<Fast<float>>(std::move(plan));
}

}  // namespace tv::preprocess
