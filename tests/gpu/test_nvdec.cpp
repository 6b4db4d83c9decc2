// A video that the GPU decodes and classifies: its frames never leave the GPU, and the answers are
// those of the same pictures from system memory.
#include <dlfcn.h>
#include <gst/cuda/gstcudaloader.h>
#include <gst/gst.h>
#include <gst/video/video.h>

#include <string>
#include <vector>

#include "elements/tvclassify/cuda_driver.hpp"
#include "tests/gpu/classified.hpp"
#include "tests/gpu/play_pcm.hpp"

using namespace tv;
using namespace tv::test;

namespace {

constexpr unsigned kFrames = 60;
constexpr const char* kClassify =
    "tvclassify model=resnet18 weights=none seed=1 device=cuda max-in-flight=8 name=classify ! "
    "fakesink async=false";

void decode_on_the_gpu(int width, int height, Collected& into) {
  Pipeline pipeline(kPcmSource + "nvh264dec ! video/x-raw(memory:CUDAMemory) ! " + kClassify);
  pipeline.probe("classify", collect, &into);
  play_pcm(pipeline, "nvh264dec", width, height, kFrames);
}

/// The same picture as GStreamer lays out NV12 in system memory.
BufferRef in_system_memory(const PcmPicture& picture, const GstVideoInfo& info) {
  std::vector<std::uint8_t> bytes(GST_VIDEO_INFO_SIZE(&info));
  const auto put = [&](guint component, const std::vector<std::uint8_t>& samples) {
    const int width = GST_VIDEO_INFO_COMP_WIDTH(&info, component);
    for (std::size_t i = 0; i < samples.size(); ++i) {
      const std::size_t row = i / static_cast<std::size_t>(width);
      const std::size_t column = i % static_cast<std::size_t>(width);
      bytes[GST_VIDEO_INFO_COMP_OFFSET(&info, component) +
            row * static_cast<std::size_t>(GST_VIDEO_INFO_COMP_STRIDE(&info, component)) +
            column * static_cast<std::size_t>(GST_VIDEO_INFO_COMP_PSTRIDE(&info, component))] =
          samples[i];
    }
  };
  put(0, picture.y);
  put(1, picture.u);
  put(2, picture.v);
  return buffer_of(bytes);
}

/// `caps`: those of the decoder's frames; colours and size are to be the same.
void take_from_system_memory(int width, int height, const GstCaps* caps, Collected& into) {
  Pipeline pipeline(std::string("appsrc name=in format=time ! ") + kClassify);
  const CapsRef system(gst_caps_copy(caps));
  gst_caps_set_features(system.get(), 0, gst_caps_features_new_empty());
  GstVideoInfo info;
  ck_assert(gst_video_info_from_caps(&info, system.get()));
  g_object_set(pipeline.element("in"), "caps", system.get(), nullptr);
  pipeline.probe("classify", collect, &into);
  std::vector<BufferRef> frames;
  for (unsigned i = 0; i < kFrames; ++i)
    frames.push_back(in_system_memory(pcm_noise(width, height, i), info));
  pipeline.play();
  feed(pipeline.element("in"), std::move(frames));
  pipeline.wait_for_end("system memory");
}

struct Size {
  int width, height;
};
// The second one does not fill its macroblocks.
constexpr Size kSizes[] = {{320, 240}, {318, 238}};

START_TEST(answers_are_those_of_system_memory) {
  const auto [width, height] = kSizes[_i];
  Collected system, cuda;
  copies_to_cpu() = 0;
  decode_on_the_gpu(width, height, cuda);
  ck_assert_int_eq(copies_to_cpu(), 0);
  ck_assert(cuda.caps != nullptr);
  GstVideoInfo info;
  ck_assert(gst_video_info_from_caps(&info, cuda.caps.get()));
  ck_assert_int_eq(GST_VIDEO_INFO_FORMAT(&info), GST_VIDEO_FORMAT_NV12);
  ck_assert_int_eq(GST_VIDEO_INFO_WIDTH(&info), width);
  ck_assert_int_eq(GST_VIDEO_INFO_HEIGHT(&info), height);
  take_from_system_memory(width, height, cuda.caps.get(), system);
  expect_same("NVDEC", kFrames, system, cuda);
  // The decoder has taken the context that the element offers.
  ck_assert_ptr_eq(cuda.context, primary_context(0));
}
END_TEST

}  // namespace

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  if (!gst_cuda_load_library() || !cuda_driver()) return skipped("no CUDA driver");
  if (!dlopen("libnvcuvid.so.1", RTLD_NOW | RTLD_LOCAL))
    return skipped("no libnvcuvid.so.1: the driver was installed without its video part");
  if (!has_element("nvh264dec"))
    return skipped("no element nvh264dec: GStreamer's nvcodec is missing or finds no decoder");
  if (!has_element("h264parse")) return skipped("no element h264parse");
  setenv("CK_FORK", "no", 1);  // CUDA does not survive a fork
  watch_copies();
  return run_suite("a video decoded on a GPU", 0,
                   Loop{answers_are_those_of_system_memory, static_cast<int>(std::size(kSizes))});
}
