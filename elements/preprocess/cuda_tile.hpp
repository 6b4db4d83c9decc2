// The GPU path's arithmetic: a tile of the network's input, computed by a block of threads in
// phases. C++17, also compiled for the host: what a kernel runs is what the tests run on the CPU,
// with loops in place of threads. Private to this folder.
//
//   stage()        a strip of the tile's source rows -> 8-bit RGB in shared memory
//   first_axis()   strip -> sums of the first axis in shared memory, one a thread
//   second_axis()  every thread adds the strip's sums to its own output pixel
//   ... next strip; store() rounds, normalises, writes
//
// The source rows stream through in ascending order, which is the order of the sums (plan.hpp); so
// shared memory does not grow with the scale. Pillow's tall pictures (Plan::vertical_first) stream
// columns instead; their first axis reads the frame directly.
#pragma once

#include <cstdint>

#include "elements/preprocess/color.hpp"
#include "elements/preprocess/cuda_pixels.hpp"
#include "elements/preprocess/host_device.hpp"

namespace tv::preprocess {

/// Outputs of a block, one a thread. 32 columns: a warp writes consecutive pixels, and reads
/// consecutive weights. 8 rows: 224 x 224 makes 196 blocks, more than a GPU has multiprocessors, at
/// the price of source rows that neighbouring tiles both convert (about a quarter at 1080p).
constexpr int kTileWidth = 32;
constexpr int kTileHeight = 8;
/// Source columns of a tile for which there is shared memory; a wider tile reads the frame anew for
/// each tap. With 1280 a picture may be shrunk 38-fold. With the sums it stays below the 48 KiB
/// that a kernel gets without asking.
constexpr int kMaxStagedColumns = 1280;
/// Shared memory for the sums, in words.
constexpr int kSumWords = 3 * kTileHeight * kTileWidth;

/// AxisTaps in device memory. Weights of one tap lie together, so that a warp's are consecutive.
struct DeviceAxis {
  struct Output {
    std::int32_t first, count, separate;  ///< as in AxisTaps
  };
  const Output* outputs;
  const void* weights;        ///< float or int32: tap k of output i at k * output_count + i
  const std::int32_t* spans;  ///< tile t sees the sources [spans[2 t], spans[2 t + 1])
  std::int32_t output_count;
  std::int32_t source_size;
  std::int32_t begin;  ///< output 0 in the crop (Plan::x0 or y0)
  std::int32_t lead;   ///< as in AxisTaps
  bool identity;
};

enum class DeviceKernel : std::uint8_t { kTensor, kPil, kPilVerticalFirst };

/// All that a launch needs; it travels in the kernel's arguments, so that nothing has to stay alive
/// on the host and a launch can be captured in a CUDA graph.
struct DeviceLaunch {
  static constexpr int kMaxFrames = 32;
  DeviceAxis horizontal, vertical;
  /// The output's value of every byte, [3][256] in its element type: normalize_table() converted on
  /// the host, so that no division and no conversion is left to the device.
  const void* table;
  std::uint8_t* images;       ///< of frames[0]
  std::int64_t image_stride;  ///< bytes
  std::int32_t crop_size;
  std::int32_t channels;        ///< 0: planar [3, crop, crop]; else channels-last: 3, 4 or 8
  std::int32_t staged_columns;  ///< 0: stage() does nothing
  std::int32_t frame_count;
  std::uint8_t element_bytes;  ///< 4 or 2
  DeviceKernel kernel;
  DeviceFrame frames[kMaxFrames];

  TV_HOST_DEVICE constexpr int tiles_across() const {
    return (crop_size + kTileWidth - 1) / kTileWidth;
  }
  TV_HOST_DEVICE constexpr int tiles_down() const {
    return (crop_size + kTileHeight - 1) / kTileHeight;
  }
  TV_HOST_DEVICE constexpr int shared_words() const {
    return kSumWords + kTileHeight * staged_columns;
  }
};
static_assert(sizeof(DeviceLaunch) <= 4096, "kernel arguments before CUDA 12.1");

template <typename T>
struct Pixel {
  T channels[3];  ///< R, G, B
};

/// One output of an axis: takes its taps in ascending order, in the order of operations that
/// plan.hpp prescribes. T is float for kTensor and std::int32_t for kPil.
template <typename T>
class TapSum {
 public:
  /// Wants nothing.
  TapSum() = default;
  TV_HOST_DEVICE TapSum(const DeviceAxis& axis, int output)
      : axis_(&axis), output_(output), shape_(axis.outputs[output]) {}

  /// Whether there is a next tap and its source is below `end`.
  TV_HOST_DEVICE bool wants(int end) const { return next_ < shape_.count && source() < end; }
  /// Where the next tap's value lies on the axis.
  TV_HOST_DEVICE int source() const {
    return clamped(shape_.first + next_, 0, axis_->source_size - 1);
  }
  TV_HOST_DEVICE void add(const Pixel<T>& value) {
    if (axis_->identity)
      sum_ = value;
    else
      add_tap(value);
    ++next_;
  }
  /// After the last tap. Pillow rounds here, to 0..255.
  TV_HOST_DEVICE Pixel<T> value() const;

 private:
  TV_HOST_DEVICE void add_tap(const Pixel<T>& value);
  TV_HOST_DEVICE T weight(int tap) const {
    return static_cast<const T*>(
        axis_->weights)[static_cast<std::int64_t>(tap) * axis_->output_count + output_];
  }

  const DeviceAxis* axis_ = nullptr;
  int output_ = 0;
  DeviceAxis::Output shape_ = {0, 0, 0};
  int next_ = 0;
  Pixel<T> sum_ = {{0, 0, 0}};
};

template <>
TV_HOST_DEVICE inline void TapSum<float>::add_tap(const Pixel<float>& value) {
  const float w = weight(next_);
  const bool late = shape_.separate == 1 && axis_->lead == 1;  // tap 1 before tap 0
  for (int c = 0; c < 3; ++c) {
    const float v = value.channels[c];
    float& sum = sum_.channels[c];
    if (next_ == 0)
      sum = late ? v : multiply(v, w);
    else if (late && next_ == 1)
      sum = fused(sum, weight(0), multiply(v, w));
    else if (next_ < shape_.separate)
      sum = preprocess::add(sum, multiply(v, w));
    else
      sum = fused(v, w, sum);
  }
}
template <>
TV_HOST_DEVICE inline Pixel<float> TapSum<float>::value() const {
  return sum_;
}

template <>
TV_HOST_DEVICE inline void TapSum<std::int32_t>::add_tap(const Pixel<std::int32_t>& value) {
  const std::int32_t w = weight(next_);
  for (int c = 0; c < 3; ++c)
    sum_.channels[c] = (next_ == 0 ? 1 << 21 : sum_.channels[c]) + value.channels[c] * w;
}
template <>
TV_HOST_DEVICE inline Pixel<std::int32_t> TapSum<std::int32_t>::value() const {
  if (axis_->identity) return sum_;
  Pixel<std::int32_t> bytes = {{0, 0, 0}};
  for (int c = 0; c < 3; ++c) bytes.channels[c] = to_byte(sum_.channels[c] >> 22);
  return bytes;
}

/// torchvision clamps for bicubic only; bilinear sums leave 0..255 by less than half a unit.
TV_HOST_DEVICE inline std::uint8_t level(float value) {
  return to_byte(nearest(value));
}
TV_HOST_DEVICE inline std::uint8_t level(std::int32_t value) {
  return to_byte(value);
}

/// N elements that are written at once.
template <typename E, int N>
struct alignas(N * sizeof(E) < 16 ? N * sizeof(E) : 16) Group {
  E elements[N];
};

/// One thread's view of its tile. Between two phases that a `sync` in run order separates, all
/// threads of the block must have done the first: see cuda_device.cu.
template <typename T, bool kVerticalFirst>
class Tile {
 public:
  /// `shared`: launch.shared_words() words of the block.
  TV_HOST_DEVICE Tile(const DeviceLaunch& launch, int block_x, int block_y, int block_z,
                      int thread_x, int thread_y, std::uint32_t* shared)
      : launch_(launch),
        frame_(launch.frames[block_z]),
        image_(block_z),
        thread_x_(thread_x),
        thread_y_(thread_y),
        x_(block_x * kTileWidth + thread_x),
        y_(block_y * kTileHeight + thread_y),
        left_(launch.horizontal.spans[2 * block_x]),
        right_(launch.horizontal.spans[2 * block_x + 1]),
        top_(launch.vertical.spans[2 * block_y]),
        bottom_(launch.vertical.spans[2 * block_y + 1]),
        sums_(shared),
        pixels_(shared + kSumWords) {
    if (in_columns() && in_rows())
      result_ = kVerticalFirst ? TapSum<T>(launch.horizontal, x_ - launch.horizontal.begin)
                               : TapSum<T>(launch.vertical, y_ - launch.vertical.begin);
  }

  /// Strips of the tile: 0 where it lies beside the picture. The same for the whole block.
  TV_HOST_DEVICE int strips() const {
    if (left_ >= right_ || top_ >= bottom_) return 0;
    return kVerticalFirst ? (right_ - left_ + kTileWidth - 1) / kTileWidth
                          : (bottom_ - top_ + kTileHeight - 1) / kTileHeight;
  }

  TV_HOST_DEVICE void stage(int strip) {
    if (kVerticalFirst || launch_.staged_columns == 0) return;
    const int row = top_ + strip * kTileHeight + thread_y_;
    if (row >= bottom_) return;
    const PixelRow source(frame_, row);
    std::uint32_t* staged = pixels_ + thread_y_ * launch_.staged_columns;
    for (int x = left_ + thread_x_; x < right_; x += kTileWidth) {
      const Rgb rgb = source.read(x);
      staged[x - left_] = static_cast<std::uint32_t>(rgb.r | rgb.g << 8 | rgb.b << 16);
    }
  }

  TV_HOST_DEVICE void first_axis(int strip) {
    if (kVerticalFirst)
      sum_column(left_ + strip * kTileWidth + thread_x_);
    else
      sum_row(top_ + strip * kTileHeight + thread_y_);
  }

  TV_HOST_DEVICE void second_axis(int strip) {
    const int begin = kVerticalFirst ? left_ + strip * kTileWidth : top_ + strip * kTileHeight;
    const int end = begin + (kVerticalFirst ? kTileWidth : kTileHeight);
    while (result_.wants(end)) {
      const int at = result_.source() - begin;
      result_.add(kVerticalFirst ? load_sum(at, thread_y_) : load_sum(thread_x_, at));
    }
  }

  TV_HOST_DEVICE void store() const {
    if (x_ >= launch_.crop_size || y_ >= launch_.crop_size) return;
    // torchvision pads with zero pixels before it normalises.
    int levels[3] = {0, 0, 0};
    if (in_columns() && in_rows()) {
      const Pixel<T> value = result_.value();
      for (int c = 0; c < 3; ++c) levels[c] = level(value.channels[c]);
    }
    if (launch_.element_bytes == 4)
      store_as<std::uint32_t>(levels);
    else
      store_as<std::uint16_t>(levels);
  }

 private:
  TV_HOST_DEVICE bool in_columns() const {
    const int output = x_ - launch_.horizontal.begin;
    return output >= 0 && output < launch_.horizontal.output_count;
  }
  TV_HOST_DEVICE bool in_rows() const {
    const int output = y_ - launch_.vertical.begin;
    return output >= 0 && output < launch_.vertical.output_count;
  }

  static TV_HOST_DEVICE Pixel<T> values(int r, int g, int b) {
    return {{static_cast<T>(r), static_cast<T>(g), static_cast<T>(b)}};
  }

  // The horizontal axis first: this thread's column of outputs in a source row.
  TV_HOST_DEVICE void sum_row(int row) {
    if (row >= bottom_ || !in_columns()) return;
    TapSum<T> sum(launch_.horizontal, x_ - launch_.horizontal.begin);
    if (launch_.staged_columns != 0) {
      const std::uint32_t* staged = pixels_ + thread_y_ * launch_.staged_columns;
      while (sum.wants(right_)) {
        const std::uint32_t rgb = staged[sum.source() - left_];
        sum.add(values(rgb & 255, rgb >> 8 & 255, rgb >> 16));
      }
    } else {
      const PixelRow source(frame_, row);
      while (sum.wants(right_)) {
        const Rgb rgb = source.read(sum.source());
        sum.add(values(rgb.r, rgb.g, rgb.b));
      }
    }
    store_sum(sum.value());
  }

  // The vertical axis first: this thread's row of outputs in a source column.
  TV_HOST_DEVICE void sum_column(int column) {
    if (column >= right_ || !in_rows()) return;
    TapSum<T> sum(launch_.vertical, y_ - launch_.vertical.begin);
    while (sum.wants(bottom_)) {
      const Rgb rgb = PixelRow(frame_, sum.source()).read(column);
      sum.add(values(rgb.r, rgb.g, rgb.b));
    }
    store_sum(sum.value());
  }

  // A plane a channel: a warp's threads use 32 consecutive words. Floats lie there as they are.
  TV_HOST_DEVICE void store_sum(const Pixel<T>& value) {
    for (int c = 0; c < 3; ++c)
      reinterpret_cast<T*>(sums_)[(c * kTileHeight + thread_y_) * kTileWidth + thread_x_] =
          value.channels[c];
  }
  TV_HOST_DEVICE Pixel<T> load_sum(int x, int y) const {
    const T* sums = reinterpret_cast<const T*>(sums_) + y * kTileWidth + x;
    constexpr int kPlane = kTileHeight * kTileWidth;
    return {{sums[0], sums[kPlane], sums[2 * kPlane]}};
  }

  template <typename E>
  TV_HOST_DEVICE void store_as(const int levels[3]) const {
    const E* table = static_cast<const E*>(launch_.table);
    const E r = table[levels[0]], g = table[256 + levels[1]], b = table[512 + levels[2]];
    E* image = reinterpret_cast<E*>(launch_.images + image_ * launch_.image_stride);
    const std::int64_t plane = static_cast<std::int64_t>(launch_.crop_size) * launch_.crop_size;
    const std::int64_t pixel = static_cast<std::int64_t>(y_) * launch_.crop_size + x_;
    switch (launch_.channels) {
      case 4:
        reinterpret_cast<Group<E, 4>*>(image)[pixel] = {{r, g, b, 0}};
        return;
      case 8:
        reinterpret_cast<Group<E, 8>*>(image)[pixel] = {{r, g, b, 0, 0, 0, 0, 0}};
        return;
      default: {
        const std::int64_t step = launch_.channels == 0 ? plane : 1;
        E* at = image + (launch_.channels == 0 ? pixel : 3 * pixel);
        at[0] = r;
        at[step] = g;
        at[2 * step] = b;
      }
    }
  }

  const DeviceLaunch& launch_;
  const DeviceFrame& frame_;
  std::int64_t image_;
  int thread_x_, thread_y_;
  int x_, y_;                        // of the crop; may lie beyond it
  int left_, right_, top_, bottom_;  // what the tile sees of the picture
  std::uint32_t* sums_;              // [3][kTileHeight][kTileWidth] of T
  std::uint32_t* pixels_;            // [kTileHeight][staged_columns], r | g << 8 | b << 16
  TapSum<T> result_;
};

}  // namespace tv::preprocess
