#include "tools/tvmodels/decoder.hpp"

#include <gst/app/gstappsink.h>
#include <sys/stat.h>

#include <cerrno>
#include <system_error>

#include "elements/common/gst_ptr.hpp"
#include "elements/preprocess/frame_view.hpp"

namespace tv::cli {
namespace {

using SampleRef = std::unique_ptr<GstSample, Release<gst_sample_unref>>;
using GErrorPtr = std::unique_ptr<GError, Release<g_error_free>>;

// videoconvert passes frames through untouched whose format is in the sink's caps, which is the
// rule; it works only for formats that preprocessing does not read.
constexpr char kPipeline[] =
    "filesrc name=source ! decodebin name=decoder expose-all-streams=false caps=video/x-raw(ANY) "
    "! videoconvert ! appsink name=sink sync=false max-buffers=4";
constexpr GstClockTime kPoll = 50 * GST_MSECOND;  // how soon a cancel or an error is noticed

Status initialise() {
  GError* raw = nullptr;
  if (gst_init_check(nullptr, nullptr, &raw)) return {};
  const GErrorPtr error(raw);
  return Error{
      Code::kUnavailable,
      std::string("GStreamer cannot start: ") + (error ? error->message : "no reason given"), ""};
}

Status check_file(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0)
    return Error{errno == ENOENT || errno == ENOTDIR ? Code::kNotFound : Code::kUnreadable,
                 path + ": " + std::generic_category().message(errno), "check the path"};
  if (!S_ISREG(info.st_mode)) return Error{Code::kUnreadable, path + ": is no regular file", ""};
  return {};
}

CapsRef accepted_caps() {
  Value formats(GST_TYPE_LIST);
  for (const PixelFormatInfo& format : pixel_formats()) {
    Value name(G_TYPE_STRING);
    g_value_take_string(name.get(), g_strndup(format.name.data(), format.name.size()));
    gst_value_list_append_value(formats.get(), name.get());
  }
  CapsRef caps(gst_caps_new_empty_simple("video/x-raw"));
  gst_caps_set_value(caps.get(), "format", formats.get());
  return caps;
}

Error error_of(GstMessage* message, const std::string& path) {
  GError* raw = nullptr;
  gst_message_parse_error(message, &raw, nullptr);
  const GErrorPtr error(raw);
  const bool plugin = g_error_matches(raw, GST_CORE_ERROR, GST_CORE_ERROR_MISSING_PLUGIN) ||
                      g_error_matches(raw, GST_STREAM_ERROR, GST_STREAM_ERROR_CODEC_NOT_FOUND);
  return {Code::kUnreadable, path + ": cannot be decoded: " + error->message,
          plugin ? "install the GStreamer plugin for it" : "is it a picture or a video?"};
}

}  // namespace

void Decoder::Stop::operator()(GstElement* pipeline) const {
  gst_element_set_state(pipeline, GST_STATE_NULL);
  gst_object_unref(pipeline);
}

Decoder::Decoder(std::string path, std::unique_ptr<GstElement, Stop> pipeline)
    : path_(std::move(path)),
      pipeline_(std::move(pipeline)),
      sink_(gst_bin_get_by_name(GST_BIN(pipeline_.get()), "sink")),
      bus_(gst_element_get_bus(pipeline_.get())) {}

Result<Decoder> Decoder::open(const std::string& path) {
  TV_RETURN_IF_ERROR(initialise());
  TV_RETURN_IF_ERROR(check_file(path));
  GError* raw = nullptr;
  std::unique_ptr<GstElement, Stop> pipeline(
      gst_parse_launch_full(kPipeline, nullptr, GST_PARSE_FLAG_FATAL_ERRORS, &raw));
  const GErrorPtr error(raw);
  if (!pipeline)
    return Error{Code::kUnavailable,
                 std::string("GStreamer cannot decode files: ") +
                     (error ? error->message : "no reason given"),
                 "install gstreamer1.0-plugins-base"};
  Decoder decoder(path, std::move(pipeline));
  const std::unique_ptr<GstElement, Unref> source(
      gst_bin_get_by_name(GST_BIN(decoder.pipeline_.get()), "source"));
  g_object_set(source.get(), "location", path.c_str(), nullptr);
  const CapsRef caps = accepted_caps();
  gst_app_sink_set_caps(GST_APP_SINK(decoder.sink_.get()), caps.get());
  gst_element_set_state(decoder.pipeline_.get(), GST_STATE_PLAYING);  // a failure is on the bus
  return decoder;
}

Result<std::optional<DecodedFrame>> Decoder::next(const std::atomic<bool>& stop) {
  while (true) {
    if (stop) return Error{Code::kCancelled, path_ + ": stopped", ""};
    const SampleRef sample(gst_app_sink_try_pull_sample(GST_APP_SINK(sink_.get()), kPoll));
    if (!sample) {
      const MessageRef message(gst_bus_pop_filtered(bus_.get(), GST_MESSAGE_ERROR));
      if (message) return error_of(message.get(), path_);
      if (gst_app_sink_is_eos(GST_APP_SINK(sink_.get()))) return std::optional<DecodedFrame>();
      continue;
    }
    DecodedFrame frame;
    frame.buffer.reset(gst_buffer_ref(gst_sample_get_buffer(sample.get())));
    const GstCaps* caps = gst_sample_get_caps(sample.get());
    if (!caps || !gst_video_info_from_caps(&frame.info, caps))
      return Error{Code::kUnreadable, path_ + ": GStreamer gave a frame without a format", ""};
    const GstClockTime time = gst_segment_to_stream_time(
        gst_sample_get_segment(sample.get()), GST_FORMAT_TIME, GST_BUFFER_PTS(frame.buffer.get()));
    if (GST_CLOCK_TIME_IS_VALID(time)) frame.time = time;
    return std::optional<DecodedFrame>(std::move(frame));
  }
}

}  // namespace tv::cli
