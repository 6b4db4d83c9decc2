// The stream that the test of a GPU's decoder decodes, in the hands of decoders for the CPU: what
// comes out is what went in. No GPU is needed.
#include <gst/gst.h>
#include <gst/video/video.h>

#include <string>
#include <vector>

#include "tests/gpu/play_pcm.hpp"

using namespace tv;
using namespace tv::test;

namespace {

constexpr int kFrames = 5;
/// Those that are there.
std::vector<const char*>& decoders() {
  static std::vector<const char*> found;
  return found;
}

struct Decoded {
  int width = 0, height = 0;
  std::vector<PcmPicture> pictures;
};

GstPadProbeReturn read_picture(GstPad* pad, GstPadProbeInfo* probe, gpointer data) {
  auto& into = *static_cast<Decoded*>(data);
  const CapsRef caps(gst_pad_get_current_caps(pad));
  GstVideoInfo info;
  GstVideoFrame frame;
  if (!gst_video_info_from_caps(&info, caps.get()) ||
      GST_VIDEO_INFO_FORMAT(&info) != GST_VIDEO_FORMAT_I420 ||
      !gst_video_frame_map(&frame, &info, GST_PAD_PROBE_INFO_BUFFER(probe), GST_MAP_READ))
    return GST_PAD_PROBE_OK;  // a picture is missed
  PcmPicture picture{.width = GST_VIDEO_INFO_WIDTH(&info), .height = GST_VIDEO_INFO_HEIGHT(&info)};
  guint c = 0;
  for (std::vector<std::uint8_t>* const samples : {&picture.y, &picture.u, &picture.v}) {
    const auto* row = static_cast<const std::uint8_t*>(GST_VIDEO_FRAME_COMP_DATA(&frame, c));
    for (int y = 0; y < GST_VIDEO_FRAME_COMP_HEIGHT(&frame, c); ++y) {
      samples->insert(samples->end(), row, row + GST_VIDEO_FRAME_COMP_WIDTH(&frame, c));
      row += GST_VIDEO_FRAME_COMP_STRIDE(&frame, c);
    }
    ++c;
  }
  gst_video_frame_unmap(&frame);
  into.pictures.push_back(std::move(picture));
  return GST_PAD_PROBE_OK;
}

struct Size {
  int width, height;
};
constexpr Size kSizes[] = {{320, 240}, {318, 238}, {66, 50}};

START_TEST(pictures_come_out_as_they_went_in) {
  const auto [width, height] = kSizes[static_cast<std::size_t>(_i) % std::size(kSizes)];
  const std::string decoder = decoders()[static_cast<std::size_t>(_i) / std::size(kSizes)];
  Pipeline pipeline(kPcmSource + decoder + " name=decoder ! fakesink");
  Decoded decoded;
  pipeline.probe("decoder", read_picture, &decoded);
  play_pcm(pipeline, decoder, width, height, kFrames);
  ck_assert_uint_eq(decoded.pictures.size(), kFrames);
  for (unsigned i = 0; i < kFrames; ++i) {
    const PcmPicture expected = pcm_noise(width, height, i);
    const PcmPicture& found = decoded.pictures[i];
    ck_assert_int_eq(found.width, width);
    ck_assert_int_eq(found.height, height);
    ck_assert(found.y == expected.y);
    ck_assert(found.u == expected.u);
    ck_assert(found.v == expected.v);
    ck_assert(found.y != pcm_noise(width, height, i + 1).y);
  }
}
END_TEST

}  // namespace

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  for (const char* name : {"avdec_h264", "openh264dec"})
    if (has_element(name) && has_element("h264parse")) decoders().push_back(name);
  if (decoders().empty()) return skipped("no decoder for H.264 on the CPU");
  setenv("CK_FORK", "no", 1);
  return run_suite("pcm stream", 60,
                   Loop{pictures_come_out_as_they_went_in,
                        static_cast<int>(std::size(kSizes) * decoders().size())});
}
