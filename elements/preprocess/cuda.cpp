// The host's half of the GPU path: the plan as plain arrays in device memory, checks, launches.
// Knows neither CUDA nor where device memory lies: cuda_device.hpp does.
#include "elements/preprocess/cuda.hpp"

#include <algorithm>
#include <bit>
#include <string>
#include <vector>

#include "elements/preprocess/cuda_device.hpp"
#include "elements/preprocess/half.hpp"
#include "elements/preprocess/paths.hpp"
#include "elements/preprocess/sticky_error.hpp"

namespace tv {
namespace preprocess {
namespace {

Error invalid(std::string what, std::string hint = "") {
  return Error{Code::kInvalidArgument, std::move(what), std::move(hint)};
}

Error device_failed(const std::string& step, int error) {
  return Error{is_sticky(error) ? Code::kDeviceLost : Code::kDevice,
               step + ": " + device_error_text(error), ""};
}

// Device memory; nothing, or one block.
class DeviceMemory {
 public:
  DeviceMemory() = default;
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;
  ~DeviceMemory() { device_release(memory_); }

  int upload(const std::vector<std::uint32_t>& words) {
    return device_upload(words.data(), words.size() * sizeof(words[0]), &memory_);
  }
  /// `offset`: words.
  template <typename T>
  const T* at(std::size_t offset) const {
    return reinterpret_cast<const T*>(static_cast<const std::uint32_t*>(memory_) + offset);
  }

 private:
  void* memory_ = nullptr;
};

// Everything that is uploaded, one array behind the other; offsets are in words.
struct Words {
  std::vector<std::uint32_t> words;

  template <typename T>
  void push(T value) {
    static_assert(sizeof(T) == sizeof(std::uint32_t));
    words.push_back(std::bit_cast<std::uint32_t>(value));
  }
};

struct AxisOffsets {
  std::size_t outputs = 0, weights = 0, spans = 0;
  int widest = 0;  // source pixels that a tile sees
};

AxisOffsets append_axis(const AxisTaps& taps, int begin, int tiles, int tile_size, bool fixed,
                        Words& to) {
  const auto count = static_cast<std::size_t>(taps.outputs());
  AxisOffsets offsets;
  offsets.outputs = to.words.size();
  for (std::size_t i = 0; i < count; ++i) {
    to.push(taps.first[i]);
    to.push(taps.identity ? 1 : taps.count[i]);
    to.push(fixed || taps.identity ? 1 : taps.separate[i]);
  }
  offsets.weights = to.words.size();
  if (!taps.identity)
    for (std::size_t k = 0; k < static_cast<std::size_t>(taps.stride); ++k)
      for (std::size_t i = 0; i < count; ++i) {
        const std::size_t at = i * static_cast<std::size_t>(taps.stride) + k;
        if (fixed)
          to.push(taps.fixed[at]);
        else
          to.push(taps.weights[at]);
      }
  offsets.spans = to.words.size();
  const int last = taps.source_size - 1;
  for (int tile = 0; tile < tiles; ++tile) {
    int low = taps.source_size, high = 0;
    for (int place = tile * tile_size; place < (tile + 1) * tile_size; ++place) {
      const int output = place - begin;
      if (output < 0 || output >= taps.outputs()) continue;
      const auto i = static_cast<std::size_t>(output);
      const int taken = taps.identity ? 1 : taps.count[i];
      low = std::min(low, std::clamp(taps.first[i], 0, last));
      high = std::max(high, std::clamp(taps.first[i] + taken - 1, 0, last) + 1);
    }
    if (low >= high) low = high = 0;
    to.push(low);
    to.push(high);
    offsets.widest = std::max(offsets.widest, high - low);
  }
  return offsets;
}

DeviceAxis device_axis(const AxisTaps& taps, int begin, const AxisOffsets& offsets,
                       const DeviceMemory& memory) {
  DeviceAxis axis{};
  axis.outputs = memory.at<DeviceAxis::Output>(offsets.outputs);
  axis.weights = memory.at<void*>(offsets.weights);
  axis.spans = memory.at<std::int32_t>(offsets.spans);
  axis.output_count = taps.outputs();
  axis.source_size = taps.source_size;
  axis.begin = begin;
  axis.lead = taps.lead;
  axis.identity = taps.identity;
  return axis;
}

DeviceFrame device_frame(const FrameView& frame) {
  const PixelFormatInfo& info = pixel_format_info(frame.format);
  DeviceFrame device{};
  for (std::size_t c = 0; c < 3; ++c) {
    const ComponentLayout& layout = info.components[c];
    const auto& plane = frame.planes[static_cast<std::size_t>(layout.plane)];
    device.components[c] = {plane.data + layout.offset, plane.stride, layout.step,
                            static_cast<std::uint8_t>(layout.shift_x),
                            static_cast<std::uint8_t>(layout.shift_y)};
  }
  device.crop_x = frame.crop_x;
  device.crop_y = frame.crop_y;
  // Both chroma components of a format are subsampled alike.
  const ChromaRange columns = chroma_columns(frame, info.components[1]);
  const ChromaRange lines = chroma_lines(frame, info.components[1]);
  device.chroma_left = columns.low;
  device.chroma_right = columns.high;
  device.chroma_top = lines.low;
  device.chroma_bottom = lines.high;
  device.constants = yuv_constants(frame.matrix, frame.range, info.bits);
  device.yuv = info.yuv;
  device.horizontal_cosited = frame.chroma.horizontal_cosited;
  device.vertical_cosited = frame.chroma.vertical_cosited;
  device.sample_bytes = static_cast<std::uint8_t>(info.sample_bytes);
  device.sample_shift = static_cast<std::uint8_t>(info.sample_shift);
  return device;
}

constexpr std::size_t element_bytes(DeviceType type) {
  return type == DeviceType::kFloat32 ? 4 : 2;
}

Status check_output(const DeviceOutput& out, int crop_size, std::size_t frames) {
  if (out.type > DeviceType::kBfloat16 || out.layout > DeviceLayout::kChannelsLast)
    return invalid("the output's type or layout is none of the known ones");
  const bool planar = out.layout == DeviceLayout::kPlanar;
  const bool padded = !planar && (out.channels == 4 || out.channels == 8);
  if (out.channels != 3 && !padded)
    return invalid("the output has " + std::to_string(out.channels) + " channels, expected " +
                   (planar ? "3" : "3, 4 or 8"));
  if (out.data == nullptr) return invalid("the output has no memory");
  const auto channels = static_cast<std::size_t>(out.channels);
  const std::size_t pixel = channels * element_bytes(out.type);
  const std::size_t alignment = padded ? std::min<std::size_t>(pixel, 16) : element_bytes(out.type);
  const auto crop = static_cast<std::size_t>(crop_size);
  const std::size_t image = crop * crop * pixel;
  if (std::bit_cast<std::uintptr_t>(out.data) % alignment != 0 ||
      (frames > 1 && out.stride % alignment != 0))
    return invalid("the output's memory or its stride of " + std::to_string(out.stride) +
                   " bytes is no multiple of " + std::to_string(alignment) + " bytes");
  if (frames > 1 && out.stride < image)
    return invalid("the output's images are " + std::to_string(out.stride) +
                   " bytes apart, expected at least " + std::to_string(image));
  // By division: a product could be too large for its type.
  if (out.bytes < image || (frames > 1 && (out.bytes - image) / out.stride < frames - 1))
    return invalid("the output has " + std::to_string(out.bytes) + " bytes, too few for " +
                   std::to_string(frames) + " images of " + std::to_string(image));
  return {};
}

class OnDevice final : public CudaPreprocessor {
 public:
  OnDevice(Plan plan, int device) : plan_(std::move(plan)), device_(device) {}
  const Plan& plan() const override { return plan_; }

  Status upload() {
    const bool fixed = plan_.backend == TransformsBackend::kPil;
    launch_.kernel = !fixed                 ? DeviceKernel::kTensor
                     : plan_.vertical_first ? DeviceKernel::kPilVerticalFirst
                                            : DeviceKernel::kPil;
    launch_.crop_size = plan_.crop_size;
    Words words;
    const AxisOffsets across =
        append_axis(plan_.horizontal, plan_.x0, launch_.tiles_across(), kTileWidth, fixed, words);
    const AxisOffsets down =
        append_axis(plan_.vertical, plan_.y0, launch_.tiles_down(), kTileHeight, fixed, words);
    const std::size_t tables = append_tables(words);
    if (const int error = memory_.upload(words.words); error != 0)
      return device_failed("uploading " + std::to_string(words.words.size() * 4) +
                               " bytes of filter taps to the GPU",
                           error);
    launch_.horizontal = device_axis(plan_.horizontal, plan_.x0, across, memory_);
    launch_.vertical = device_axis(plan_.vertical, plan_.y0, down, memory_);
    tables_ = memory_.at<std::uint32_t>(tables);
    const bool staged = !plan_.vertical_first && across.widest <= kMaxStagedColumns;
    launch_.staged_columns = staged ? across.widest : 0;
    return {};
  }

  Status run(std::span<const FrameView> frames, const DeviceOutput& out,
             void* stream) const override {
    if (frames.empty()) return {};
    TV_RETURN_IF_ERROR(check_output(out, plan_.crop_size, frames.size()));
    for (std::size_t i = 0; i < frames.size(); ++i)
      if (Status good = check_frame(plan_, frames[i]); !good) {
        if (frames.size() > 1)
          good.error().what = "frame " + std::to_string(i) + " of the batch: " + good.error().what;
        return good;
      }
    int device = 0;
    if (const int error = device_current(&device); error != 0)
      return device_failed("asking for the current GPU", error);
    if (device != device_)
      return invalid("GPU " + std::to_string(device) +
                         " is current, the preprocessor was made on " + std::to_string(device_),
                     "make one for each GPU, or call cudaSetDevice() before run()");

    DeviceLaunch launch = launch_;
    launch.table = tables_ + static_cast<std::size_t>(out.type) * kTableWords;
    launch.element_bytes = static_cast<std::uint8_t>(element_bytes(out.type));
    launch.channels = out.layout == DeviceLayout::kPlanar ? 0 : out.channels;
    launch.image_stride = static_cast<std::int64_t>(out.stride);
    for (std::size_t begin = 0; begin < frames.size(); begin += DeviceLaunch::kMaxFrames) {
      const auto part = frames.subspan(
          begin, std::min<std::size_t>(frames.size() - begin, DeviceLaunch::kMaxFrames));
      std::transform(part.begin(), part.end(), launch.frames, device_frame);
      launch.frame_count = static_cast<std::int32_t>(part.size());
      launch.images = static_cast<std::uint8_t*>(out.data) + begin * out.stride;
      if (const int error = device_launch(launch, stream); error != 0)
        return device_failed(
            "launching the preprocessing of " + std::to_string(part.size()) + " frames", error);
    }
    return {};
  }

 private:
  // A table of each type lies at its number times this; the 16-bit ones leave half of it empty.
  static constexpr std::size_t kTableWords = 3 * 256;

  std::size_t append_tables(Words& words) const {
    const NormalizeTable table = normalize_table(plan_.recipe);
    const std::size_t begin = words.words.size();
    for (const auto& channel : table)
      for (const float value : channel) words.push(value);
    for (const auto convert : {float16_bits, bfloat16_bits}) {
      std::vector<std::uint16_t> halves(2 * kTableWords);
      for (std::size_t i = 0; i < kTableWords; ++i) halves[i] = convert(table[i / 256][i % 256]);
      for (std::size_t i = 0; i < halves.size(); i += 2)
        words.push(std::bit_cast<std::uint32_t>(std::array{halves[i], halves[i + 1]}));
    }
    return begin;
  }

  Plan plan_;
  int device_;
  DeviceMemory memory_;
  const std::uint32_t* tables_ = nullptr;
  DeviceLaunch launch_{};  // without frames and output
};

}  // namespace
}  // namespace preprocess

Result<std::unique_ptr<CudaPreprocessor>> make_cuda_preprocessor(Plan plan) {
  TV_RETURN_IF_ERROR(preprocess::check_plan(plan));
  int device = 0;
  if (const int error = preprocess::device_current(&device); error != 0)
    return Error{is_sticky(error) ? Code::kDeviceLost : Code::kUnavailable,
                 std::string("no usable GPU: ") + preprocess::device_error_text(error),
                 "see what nvidia-smi says; -Dgpu_archs lists the GPUs that a build is for"};
  auto made = std::make_unique<preprocess::OnDevice>(std::move(plan), device);
  TV_RETURN_IF_ERROR(made->upload());
  return std::unique_ptr<CudaPreprocessor>(std::move(made));
}

}  // namespace tv
