// The colour step against the standards' own formula and against GStreamer's converter, the code
// behind `videoconvert`.
//
// exact:    the formula in double precision, chroma interpolated linearly where caps say that it
// lies. Every
//           sample must be within 0.55 of it: rounding, and no more than 0.05 beside.
// deep:     GstVideoConverter on the same picture in 10 bits (8-bit samples as the standard widens
// them), where
//           it calculates in 16 bits, with linear chroma interpolation and no dithering. At
//           least 99.9 % of the samples within 2 levels, in every row. Vertically co-sited chroma
//           is printed only: there the converter repeats rows instead of interpolating.
// defaults: GstVideoConverter to RGB as `videoconvert` runs by itself. Printed only: its 8-bit
// matrix rounds
//           every product down (white 235 becomes 253), and for I420, YV12 and others it has a
//           short cut that repeats chroma. The last column is its own distance from exact.
#include <gst/app/gstappsink.h>
#include <gst/video/video.h>

#include <cmath>
#include <cstdio>
#include <string>

#include "elements/preprocess/preprocess.hpp"
#include "tests/elements/preprocess/exact_color.hpp"
#include "tests/elements/preprocess/frames.hpp"
#include "tests/suite.hpp"

using namespace tv;
using namespace tv::test;

namespace {

constexpr int kSide = 256;

constexpr const char* kMatrices[] = {"bt601", "bt709", "bt2020"};
constexpr GstVideoColorMatrix kGstMatrices[] = {
    GST_VIDEO_COLOR_MATRIX_BT601, GST_VIDEO_COLOR_MATRIX_BT709, GST_VIDEO_COLOR_MATRIX_BT2020};

struct Setting {
  const PixelFormatInfo* format;
  ColorMatrix matrix;
  ColorRange range;
  ChromaSite site;
};

GstVideoInfo info_of(const Setting& setting) {
  GstVideoInfo info;
  gst_video_info_set_format(&info, gst_video_format_from_string(setting.format->name.data()), kSide,
                            kSide);
  info.colorimetry.matrix = kGstMatrices[static_cast<std::size_t>(setting.matrix)];
  info.colorimetry.range = setting.range == ColorRange::kFull ? GST_VIDEO_COLOR_RANGE_0_255
                                                              : GST_VIDEO_COLOR_RANGE_16_235;
  info.colorimetry.transfer = GST_VIDEO_TRANSFER_BT709;
  info.colorimetry.primaries = GST_VIDEO_COLOR_PRIMARIES_BT709;
  int site = 0;
  if (setting.site.horizontal_cosited) site |= GST_VIDEO_CHROMA_SITE_H_COSITED;
  if (setting.site.vertical_cosited) site |= GST_VIDEO_CHROMA_SITE_V_COSITED;
  info.chroma_site = static_cast<GstVideoChromaSite>(site == 0 ? GST_VIDEO_CHROMA_SITE_NONE : site);
  return info;
}

GstVideoInfo rgb_info(GstVideoFormat format) {
  GstVideoInfo info;
  gst_video_info_set_format(&info, format, kSide, kSide);
  info.colorimetry.transfer = GST_VIDEO_TRANSFER_BT709;
  info.colorimetry.primaries = GST_VIDEO_COLOR_PRIMARIES_BT709;
  return info;
}

/// A mapped frame of its own buffer.
class Frame {
 public:
  explicit Frame(const GstVideoInfo& info)
      : Frame(info, gst_buffer_new_wrapped(g_malloc0(info.size), info.size)) {}
  /// Takes the buffer.
  Frame(const GstVideoInfo& info, GstBuffer* buffer) : info_(info), buffer_(buffer) {
    const gboolean mapped = gst_video_frame_map(&frame_, &info_, buffer_, GST_MAP_READWRITE);
    ck_assert(mapped);
  }
  ~Frame() {
    gst_video_frame_unmap(&frame_);
    gst_buffer_unref(buffer_);
  }
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;
  GstVideoFrame* get() { return &frame_; }
  std::uint8_t* plane(int p) {
    return static_cast<std::uint8_t*>(GST_VIDEO_FRAME_PLANE_DATA(&frame_, p));
  }
  int stride(int p) const { return GST_VIDEO_FRAME_PLANE_STRIDE(&frame_, p); }

 private:
  GstVideoInfo info_;
  GstBuffer* buffer_;
  GstVideoFrame frame_;
};

void convert(Frame& from, const GstVideoInfo& from_info, Frame& to, const GstVideoInfo& to_info,
             bool linear) {
  GstStructure* config = nullptr;
  if (linear)
    config = gst_structure_new("options", GST_VIDEO_CONVERTER_OPT_CHROMA_MODE,
                               GST_TYPE_VIDEO_CHROMA_MODE, GST_VIDEO_CHROMA_MODE_FULL,
                               GST_VIDEO_CONVERTER_OPT_CHROMA_RESAMPLER_METHOD,
                               GST_TYPE_VIDEO_RESAMPLER_METHOD, GST_VIDEO_RESAMPLER_METHOD_LINEAR,
                               GST_VIDEO_CONVERTER_OPT_DITHER_METHOD, GST_TYPE_VIDEO_DITHER_METHOD,
                               GST_VIDEO_DITHER_NONE, nullptr);
  GstVideoInfo in = from_info, out = to_info;
  GstVideoConverter* converter = gst_video_converter_new(&in, &out, config);
  ck_assert(converter != nullptr);
  gst_video_converter_frame(converter, from.get(), to.get());
  gst_video_converter_free(converter);
}

// [3][side][side] bytes.
using Planes = std::vector<std::uint8_t>;

Planes from_rgb(Frame& frame) {
  Planes planes(3 * kSide * kSide);
  for (std::size_t i = 0; i < planes.size(); ++i) {
    const auto c = i / (kSide * kSide), y = i / kSide % kSide, x = i % kSide;
    planes[i] = frame.plane(0)[y * static_cast<std::size_t>(frame.stride(0)) + 3 * x + c];
  }
  return planes;
}

FrameView view_of(Frame& frame, const Setting& setting) {
  FrameView view;
  view.format = setting.format->format;
  view.width = view.height = view.full_width = view.full_height = kSide;
  for (int p = 0; p < setting.format->planes; ++p)
    view.planes[static_cast<std::size_t>(p)] = {frame.plane(p), frame.stride(p)};
  view.matrix = setting.matrix;
  view.range = setting.range;
  view.chroma = setting.site;
  return view;
}

Planes ours(Frame& frame, const Setting& setting) {
  Transforms as_is;
  as_is.resize_size = as_is.crop_size = kSide;
  as_is.mean = {0, 0, 0};
  as_is.std = {1, 1, 1};
  auto plan = make_plan(as_is, kSide, kSide);
  ck_assert(static_cast<bool>(plan));
  auto preprocessor = make_preprocessor(std::move(*plan));
  ck_assert(static_cast<bool>(preprocessor));
  std::vector<float> out(3 * kSide * kSide);
  ck_assert(static_cast<bool>((*preprocessor)->run(view_of(frame, setting), out)));
  Planes planes;
  for (const float value : out)
    planes.push_back(static_cast<std::uint8_t>(std::lround(value * 255)));
  return planes;
}

struct Tally {
  long long samples = 0, within_2 = 0, equal = 0;
  int worst = 0;

  void add(const Planes& found, const Planes& expected) {
    for (std::size_t i = 0; i < found.size(); ++i) {
      const int difference = std::abs(found[i] - expected[i]);
      ++samples;
      within_2 += difference <= 2;
      equal += difference == 0;
      worst = std::max(worst, difference);
    }
  }
  void add(const Tally& other) {
    samples += other.samples;
    within_2 += other.within_2;
    equal += other.equal;
    worst = std::max(worst, other.worst);
  }
  double percent() const {
    return 100.0 * static_cast<double>(within_2) / static_cast<double>(samples);
  }
  double percent_equal() const {
    return 100.0 * static_cast<double>(equal) / static_cast<double>(samples);
  }
};

double worst_error(const Planes& found, const ExactColor& exact) {
  double worst = 0;
  for (int y = 0; y < kSide; ++y)
    for (int x = 0; x < kSide; ++x) {
      const std::array<double, 3> expected = exact.at(x, y);
      for (std::size_t c = 0; c < 3; ++c)
        worst = std::max(worst, std::abs(found[(c * kSide + static_cast<std::size_t>(y)) * kSide +
                                               static_cast<std::size_t>(x)] -
                                         expected[c]));
    }
  return worst;
}

// The planar format in which the converter calculates in 16 bits.
const char* deep_format(const PixelFormatInfo& info) {
  const ComponentLayout& chroma = info.components[1];
  return chroma.shift_y ? "I420_10LE" : chroma.shift_x ? "I422_10LE" : "Y444_10LE";
}

// An 8-bit sample in 10 bits: limited range is scaled by 4, full range so that 255 becomes 1023.
int widened(int value, bool chroma, ColorRange range) {
  if (range == ColorRange::kLimited) return 4 * value;
  const double scaled = chroma ? 512 + (value - 128) * 1023.0 / 255 : value * 1023.0 / 255;
  return std::clamp(static_cast<int>(std::lround(scaled)), 0, 1023);
}

// The same picture in 10 bits.
void widen(Frame& frame, const Setting& setting, Frame& wide) {
  const PixelFormatInfo& info = *setting.format;
  for (std::size_t k = 0; k < 3; ++k) {
    const ComponentLayout& c = info.components[k];
    const int plane = static_cast<int>(k);
    for (int y = 0; y < kSide >> c.shift_y; ++y)
      for (int x = 0; x < kSide >> c.shift_x; ++x) {
        const std::uint8_t* at =
            frame.plane(c.plane) + y * frame.stride(c.plane) + x * c.step + c.offset;
        const int value = info.sample_bytes == 2 ? (at[0] | at[1] << 8) >> info.sample_shift
                                                 : widened(at[0], k > 0, setting.range);
        std::uint8_t* to = wide.plane(plane) + y * wide.stride(plane) + 2 * x;
        to[0] = static_cast<std::uint8_t>(value);
        to[1] = static_cast<std::uint8_t>(value >> 8);
      }
  }
}

Planes deep_conversion(Frame& frame, const Setting& setting) {
  GstVideoInfo info = info_of(setting);
  const auto colorimetry = info.colorimetry;
  const auto site = info.chroma_site;
  gst_video_info_set_format(&info, gst_video_format_from_string(deep_format(*setting.format)),
                            kSide, kSide);
  info.colorimetry = colorimetry;
  info.chroma_site = site;
  const GstVideoInfo rgb = rgb_info(GST_VIDEO_FORMAT_RGB);
  Frame wide(info), result(rgb);
  widen(frame, setting, wide);
  convert(wide, info, result, rgb, true);
  return from_rgb(result);
}

struct Row {
  Tally deep, defaults;
  double exact = 0, defaults_exact = 0;  ///< largest distances
};

void compare(Frame& frame, const Setting& setting, Row& row) {
  const GstVideoInfo info = info_of(setting);
  const Planes found = ours(frame, setting);
  const GstVideoInfo rgb = rgb_info(GST_VIDEO_FORMAT_RGB);
  Frame defaults(rgb);
  convert(frame, info, defaults, rgb, false);
  const FrameView view = view_of(frame, setting);
  const ExactColor exact(view);
  row.deep.add(found, deep_conversion(frame, setting));
  row.defaults.add(found, from_rgb(defaults));
  row.exact = std::max(row.exact, worst_error(found, exact));
  row.defaults_exact = std::max(row.defaults_exact, worst_error(from_rgb(defaults), exact));
}

// ---- content ----

// Like a photograph: gradients, waves of many lengths (amplitude falling with frequency), noise of
// a few levels that a lens has blurred, and some hard edges. Values are RGB.
void paint_photograph(Frame& frame, Bytes& random) {
  struct Wave {
    double x, y, phase, amplitude;
    int channel;
  };
  std::vector<Wave> waves;
  for (int i = 0; i < 60; ++i) {
    const double frequency =
        0.5 * std::pow(90.0, random.between(0, 1000) / 1000.0) / kSide * 6.2831853;
    const double direction = random.between(0, 6283) / 1000.0;
    waves.push_back({frequency * std::cos(direction), frequency * std::sin(direction),
                     random.between(0, 6283) / 1000.0, 1.2 / frequency / kSide * 40,
                     random.between(0, 4)});
  }
  std::vector<double> noise(3 * kSide * kSide);
  for (auto& n : noise) n = random.between(-100, 100) / 20.0;
  for (int y = 0; y < kSide; ++y)
    for (int x = 0; x < kSide; ++x)
      for (int c = 0; c < 3; ++c) {
        double value = 60 + 130.0 * (c == 0 ? x : c == 1 ? y : kSide - x) / kSide;
        for (const auto& w : waves)
          if (w.channel >= 3 || w.channel == c)
            value += w.amplitude * std::sin(w.x * x + w.y * y + w.phase);
        double blurred = 0;
        for (int j = -1; j <= 1; ++j)
          for (int i = -1; i <= 1; ++i)
            blurred +=
                noise[static_cast<std::size_t>((c * kSide + (y + j + kSide) % kSide) * kSide +
                                               (x + i + kSide) % kSide)] /
                9;
        value += 2 * blurred;
        if ((x - 180) * (x - 180) + (y - 70) * (y - 70) < 900) value *= 0.6;
        frame.plane(0)[y * frame.stride(0) + 3 * x + c] =
            static_cast<std::uint8_t>(std::clamp(std::lround(value), 0l, 255l));
      }
}

// A picture of videotestsrc in RGB.
GstBuffer* test_pattern(const char* pattern) {
  const std::string text =
      std::string("videotestsrc num-buffers=1 pattern=") + pattern +
      " ! video/x-raw,format=RGB,width=256,height=256 ! appsink name=sink sync=false";
  GstElement* pipeline = gst_parse_launch(text.c_str(), nullptr);
  ck_assert(pipeline != nullptr);
  GstElement* sink = gst_bin_get_by_name(GST_BIN(pipeline), "sink");
  gst_element_set_state(pipeline, GST_STATE_PLAYING);
  GstSample* sample = gst_app_sink_pull_sample(GST_APP_SINK(sink));
  ck_assert_msg(sample != nullptr, "videotestsrc made no picture");
  GstBuffer* buffer = gst_buffer_copy_deep(gst_sample_get_buffer(sample));
  gst_sample_unref(sample);
  gst_element_set_state(pipeline, GST_STATE_NULL);
  gst_object_unref(sink);
  gst_object_unref(pipeline);
  return buffer;
}

// The RGB pictures that are encoded in each format, as a camera or a decoder would hand them over.
std::vector<std::unique_ptr<Frame>> pictures() {
  std::vector<std::unique_ptr<Frame>> made;
  const GstVideoInfo rgb = rgb_info(GST_VIDEO_FORMAT_RGB);
  Bytes random(11);
  for (int i = 0; i < 2; ++i) {
    made.push_back(std::make_unique<Frame>(rgb));
    paint_photograph(*made.back(), random);
  }
  for (const char* pattern :
       {"smpte", "smpte75", "ball", "gamut", "gradient", "chroma-zone-plate", "circular"})
    made.push_back(std::make_unique<Frame>(rgb, test_pattern(pattern)));
  return made;
}

std::vector<ChromaSite> sites_of(const PixelFormatInfo& info) {
  std::vector<ChromaSite> sites;
  for (const bool h : {false, true})
    for (const bool v : {false, true})
      if ((info.components[1].shift_x || !h) && (info.components[1].shift_y || !v))
        sites.push_back({h, v});
  return sites;
}

// All rows of one format.
bool check_format(const PixelFormatInfo& info, const std::vector<std::unique_ptr<Frame>>& sources,
                  Row& total) {
  bool good = true;
  for (const ChromaSite site : sites_of(info))
    for (const auto matrix : {ColorMatrix::kBt601, ColorMatrix::kBt709, ColorMatrix::kBt2020})
      for (const auto range : {ColorRange::kLimited, ColorRange::kFull}) {
        const Setting setting{&info, matrix, range, site};
        Row row;
        for (const auto& source : sources) {
          Frame encoded(info_of(setting));
          convert(*source, rgb_info(GST_VIDEO_FORMAT_RGB), encoded, info_of(setting), true);
          compare(encoded, setting, row);
        }
        std::printf("%-10s %-6s %-7s  %s%s  | %6.4f | %8.4f %8.4f %4d | %8.4f %4d %6.1f\n",
                    info.name.data(), kMatrices[static_cast<std::size_t>(matrix)],
                    range == ColorRange::kFull ? "full" : "limited",
                    site.horizontal_cosited ? "h" : "-", site.vertical_cosited ? "v" : "-",
                    row.exact, row.deep.percent(), row.deep.percent_equal(), row.deep.worst,
                    row.defaults.percent(), row.defaults.worst, row.defaults_exact);
        good = good && row.exact <= 0.55 && (site.vertical_cosited || row.deep.percent() >= 99.9);
        total.exact = std::max(total.exact, row.exact);
        total.defaults_exact = std::max(total.defaults_exact, row.defaults_exact);
        if (!site.vertical_cosited) total.deep.add(row.deep);
        total.defaults.add(row.defaults);
      }
  return good;
}

START_TEST(near_videoconvert) {
  const auto sources = pictures();
  Row total;
  bool good = true;
  std::printf(
      "format     matrix range   site | exact  | deep: in 2, equal, worst  | defaults: in 2, "
      "worst, their exact\n");
  for (const auto& info : pixel_formats())
    if (info.yuv) good = check_format(info, sources, total) && good;
  std::printf(
      "all: at most %.4f from exact; deep (not vertically co-sited) %.4f %% within 2, %.4f %% "
      "equal, worst %d, of "
      "%lld samples; defaults %.4f %%, worst %d, themselves at most %.1f from exact, %lld "
      "samples\n",
      total.exact, total.deep.percent(), total.deep.percent_equal(), total.deep.worst,
      total.deep.samples, total.defaults.percent(), total.defaults.worst, total.defaults_exact,
      total.defaults.samples);
  ck_assert_msg(good, "a row is further from its judge than it may be");
}
END_TEST

// The judge tells settings apart: with the wrong matrix, range or siting far fewer samples agree.
START_TEST(wrong_settings_are_seen) {
  const auto sources = pictures();
  const auto* info = &pixel_format_info(PixelFormat::kI420);
  const Setting right{info, ColorMatrix::kBt709, ColorRange::kLimited, {true, false}};
  Setting wrong[3] = {right, right, right};
  wrong[0].matrix = ColorMatrix::kBt601;
  wrong[1].range = ColorRange::kFull;
  wrong[2].site = {false, true};
  for (const Setting& setting : wrong) {
    Tally tally;
    for (const auto& source : sources) {
      Frame encoded(info_of(right));
      convert(*source, rgb_info(GST_VIDEO_FORMAT_RGB), encoded, info_of(right), true);
      tally.add(ours(encoded, setting), deep_conversion(encoded, right));
    }
    std::printf("wrong setting: %.2f %% within 2\n", tally.percent());
    ck_assert(tally.percent() < 99);
  }
}
END_TEST

}  // namespace

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  setenv("CK_FORK", "no", 1);  // GStreamer's threads do not survive a fork
  return run_suite("videoconvert", 0, near_videoconvert, wrong_settings_are_seen);
}
