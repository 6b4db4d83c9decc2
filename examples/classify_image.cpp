// Classifies a picture in four steps, from C++:
//   classify_image ResNet50_Weights.DEFAULT dog.jpg
// prints the best category and its score ("Samoyed: 88.3%").
#include <gst/gst.h>
#include <gst/video/video.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "elements/inference/engine.hpp"
#include "elements/preprocess/preprocess.hpp"
#include "model_registry/registry/registry.hpp"

namespace {

struct Picture {
  int width = 0, height = 0;         // pixels
  std::vector<std::uint8_t> pixels;  // RGB, row after row
  tv::FrameView view() const {
    tv::FrameView view;
    view.width = view.full_width = width;
    view.height = view.full_height = height;
    view.planes[0] = {pixels.data(), std::ptrdiff_t{3} * width};
    return view;
  }
};

Picture copy_rows(GstVideoFrame& frame) {
  Picture picture{GST_VIDEO_FRAME_WIDTH(&frame), GST_VIDEO_FRAME_HEIGHT(&frame), {}};
  const auto* row = static_cast<const std::uint8_t*>(GST_VIDEO_FRAME_PLANE_DATA(&frame, 0));
  for (int y = 0; y < picture.height; ++y, row += GST_VIDEO_FRAME_PLANE_STRIDE(&frame, 0))
    picture.pixels.insert(picture.pixels.end(), row, row + 3 * picture.width);
  return picture;
}

// Any file that GStreamer can decode; of a video the first frame.
tv::Result<Picture> read_picture(const char* path) {
  g_autoptr(GError) fault = nullptr;
  g_autoptr(GstElement) pipeline = gst_parse_launch(
      "filesrc name=file ! decodebin ! videoconvert ! video/x-raw,format=RGB ! appsink name=sink",
      &fault);
  // An element that is not installed leaves a part of the pipeline behind, and an error.
  if (!pipeline || fault)
    return tv::Error{tv::Code::kUnavailable, fault ? fault->message : "no pipeline",
                     "install gstreamer1.0-plugins-base"};
  g_autoptr(GstElement) file = gst_bin_get_by_name(GST_BIN(pipeline), "file");
  g_autoptr(GstElement) sink = gst_bin_get_by_name(GST_BIN(pipeline), "sink");
  g_object_set(file, "location", path, nullptr);
  gst_element_set_state(pipeline, GST_STATE_PAUSED);
  g_autoptr(GstBus) bus = gst_element_get_bus(pipeline);
  const auto outcome = static_cast<GstMessageType>(GST_MESSAGE_ASYNC_DONE | GST_MESSAGE_ERROR);
  g_autoptr(GstMessage) message = gst_bus_timed_pop_filtered(bus, GST_CLOCK_TIME_NONE, outcome);

  Picture picture;
  std::string problem = "no picture in it";
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
    g_autoptr(GError) error = nullptr;
    gst_message_parse_error(message, &error, nullptr);
    problem = error->message;
  } else {
    g_autoptr(GstSample) sample = nullptr;
    g_signal_emit_by_name(sink, "pull-preroll", &sample);
    GstVideoInfo info;
    GstVideoFrame frame;
    if (sample && gst_video_info_from_caps(&info, gst_sample_get_caps(sample)) &&
        gst_video_frame_map(&frame, &info, gst_sample_get_buffer(sample), GST_MAP_READ)) {
      picture = copy_rows(frame);
      gst_video_frame_unmap(&frame);
    }
  }
  gst_element_set_state(pipeline, GST_STATE_NULL);
  if (picture.pixels.empty())
    return tv::Error{tv::Code::kUnreadable, std::string(path) + ": " + problem, ""};
  return picture;
}

tv::Status classify(const char* name, const char* path) {
  // Step 1: choose the weights
  TV_ASSIGN_OR_RETURN(const tv::Weights* const weights, tv::resolve_weights(name));

  // Step 2: build the model with them (downloaded on first use)
  TV_ASSIGN_OR_RETURN(
      const tv::Model model,
      tv::get_model(weights->builder,
                    {.weights = weights, .quantize = tv::implies_quantize(*weights)}));
  TV_ASSIGN_OR_RETURN(const auto ready, tv::inference::load_model({.model = model}));

  // Step 3: preprocess as the weights want it
  TV_ASSIGN_OR_RETURN(const Picture picture, read_picture(path));
  TV_ASSIGN_OR_RETURN(const tv::Plan plan,
                      tv::make_plan(weights->transforms(), picture.width, picture.height));
  TV_ASSIGN_OR_RETURN(const auto preprocess, tv::make_preprocessor(plan));
  std::vector<float> batch(3 * static_cast<std::size_t>(plan.crop_size * plan.crop_size));
  TV_RETURN_IF_ERROR(preprocess->run(picture.view(), batch));

  // Step 4: predict, and name the best category
  TV_ASSIGN_OR_RETURN(const auto logits,
                      ready.model->run(batch, {1, 3, plan.crop_size, plan.crop_size}));
  const auto best = tv::inference::top_k(logits, 1);
  if (best.empty())
    return tv::Error{tv::Code::kInternal, std::string(path) + ": the logits are no numbers", ""};
  for (const auto& [index, score] : best) {
    const auto at = static_cast<std::size_t>(index);
    const std::string category = at < weights->categories.size()
                                     ? std::string(weights->categories[at])
                                     : "class " + std::to_string(index);
    std::printf("%s: %.1f%%\n", category.c_str(), 100 * static_cast<double>(score));
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  gst_init(&argc, &argv);
  if (argc != 3) {
    std::fprintf(stderr, "usage: %s WEIGHTS PICTURE\n", argv[0]);
    return 2;
  }
  if (const auto done = classify(argv[1], argv[2]); !done) {
    std::fprintf(stderr, "%s: %s\n", argv[0], done.error().text().c_str());
    return 1;
  }
  return 0;
}
