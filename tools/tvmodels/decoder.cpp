#include "tools/tvmodels/decoder.hpp"

#include <gst/app/gstappsink.h>
#include <sys/stat.h>

#include <cerrno>
#include <fstream>
#include <system_error>
#include <vector>

#include "elements/common/gst_ptr.hpp"
#include "elements/preprocess/frame_view.hpp"
#include "elements/tvclassify/frame.hpp"
#include "model_registry/io/file.hpp"
#include "tools/tvmodels/jpeg.hpp"
#include "tools/tvmodels/picture_format.hpp"

namespace tv::cli {
namespace {

// What elements/common/gst_ptr.hpp has no owner for.
struct Free {
  void operator()(GstSample* sample) const { gst_sample_unref(sample); }
  void operator()(GError* error) const { g_error_free(error); }
  void operator()(GstIterator* iterator) const { gst_iterator_free(iterator); }
  void operator()(GstElement* element) const { gst_object_unref(element); }
  void operator()(GstPad* pad) const { gst_object_unref(pad); }
  void operator()(GstElementFactory* factory) const { gst_object_unref(factory); }
};
using SampleRef = std::unique_ptr<GstSample, Free>;
using ElementRef = std::unique_ptr<GstElement, Free>;
using ElementFactoryRef = std::unique_ptr<GstElementFactory, Free>;
using PadRef = std::unique_ptr<GstPad, Free>;
using GErrorPtr = std::unique_ptr<GError, Free>;

// decodebin's pads are linked when they appear. videoconvert passes frames through untouched whose
// format is in the sink's caps, which is the rule; it works only for formats that preprocessing
// does not read.
constexpr char kSource[] = "filesrc name=source ! ", kStream[] = "decodebin name=decoder ",
               kSink[] = "videoconvert name=convert ! appsink name=sink sync=false max-buffers=4";
constexpr GstClockTime kPoll = 50 * GST_MSECOND;  // how soon a cancel or an error is noticed
constexpr std::uint64_t kLargestPicture = std::uint64_t{1} << 30;  // bytes of a JPEG file
constexpr int kIdlePolls = 20;  // so often in a row without a running thread: it is over

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

std::vector<std::uint8_t> head_of(const std::string& path) {
  std::vector<std::uint8_t> head(kHeadBytes);
  std::ifstream file(path, std::ios::binary);
  file.read(reinterpret_cast<char*>(head.data()), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<std::size_t>(file.gcount()));
  return head;
}

Error in_file(Error error, const std::string& path) {
  error.what = path + ": " + error.what;
  return error;
}

// Whether the format's element is there, and the file all there.
Status check_picture(const PictureFormat& format, std::span<const std::uint8_t> head,
                     const std::string& path) {
  const std::string pictures = std::string(format.name) + " pictures ";
  if (format.element == nullptr)
    return Error{Code::kUnsupported, path + ": " + pictures + "are not supported",
                 "convert it to PNG"};
  if (!ElementFactoryRef(gst_element_factory_find(format.element)))
    return Error{Code::kUnavailable,
                 path + ": " + pictures + "need GStreamer's element " + format.element +
                     ", which is not installed",
                 std::string("install ") + format.package + ", or convert it to PNG"};
  if (format.check_file == nullptr) return {};
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) info.st_size = 0;
  const Status checked = format.check_file(head, static_cast<std::uint64_t>(info.st_size));
  return checked ? checked : in_file(checked.error(), path);
}

// The buffer owns the pixels.
DecodedFrame frame_of(RgbPicture picture) {
  DecodedFrame frame;
  gst_video_info_set_format(&frame.info, GST_VIDEO_FORMAT_RGB, static_cast<guint>(picture.width),
                            static_cast<guint>(picture.height));
  frame.info.stride[0] = 3 * picture.width;  // GStreamer's own would be padded
  frame.info.size = picture.pixels.size();
  auto* pixels = new std::vector<std::uint8_t>(std::move(picture.pixels));
  frame.buffer.reset(gst_buffer_new_wrapped_full(
      GST_MEMORY_FLAG_READONLY, pixels->data(), pixels->size(), 0, pixels->size(), pixels,
      [](gpointer data) { delete static_cast<std::vector<std::uint8_t>*>(data); }));
  return frame;
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

ElementRef child(GstElement* pipeline, const char* name) {
  return ElementRef(gst_bin_get_by_name(GST_BIN(pipeline), name));
}

bool is_video(GstCaps* caps) {
  return caps && gst_caps_get_size(caps) > 0 &&
         g_str_has_prefix(gst_structure_get_name(gst_caps_get_structure(caps, 0)), "video/x-raw");
}

// Sound and subtitles are not worth decoding, and their decoders need not be there.
gboolean on_autoplug_continue(GstElement*, GstPad*, GstCaps* caps, gpointer) {
  const char* name = gst_structure_get_name(gst_caps_get_structure(caps, 0));
  for (const char* kind : {"audio/", "text/", "subpicture/", "application/x-subtitle"})
    if (g_str_has_prefix(name, kind)) return FALSE;
  return TRUE;
}

// The first video goes to the sink, everything else nowhere: a pad without a peer would stop the
// stream.
void on_pad_added(GstElement*, GstPad* pad, gpointer user) {
  GstElement* pipeline = static_cast<GstElement*>(user);
  const ElementRef convert = child(pipeline, "convert");
  const PadRef video(gst_element_get_static_pad(convert.get(), "sink"));
  const CapsRef caps(gst_pad_query_caps(pad, nullptr));
  if (is_video(caps.get()) && !gst_pad_is_linked(video.get()) &&
      gst_pad_link(pad, video.get()) == GST_PAD_LINK_OK)
    return;
  GstElement* nowhere = gst_element_factory_make("fakesink", nullptr);
  g_object_set(nowhere, "sync", FALSE, "async", FALSE, nullptr);
  gst_bin_add(GST_BIN(pipeline), nowhere);
  gst_element_sync_state_with_parent(nowhere);
  const PadRef sink(gst_element_get_static_pad(nowhere, "sink"));
  gst_pad_link(pad, sink.get());
}

// Without a video the sink would wait forever.
void on_no_more_pads(GstElement* decoder, gpointer user) {
  const ElementRef convert = child(static_cast<GstElement*>(user), "convert");
  const PadRef video(gst_element_get_static_pad(convert.get(), "sink"));
  if (!gst_pad_is_linked(video.get()))
    GST_ELEMENT_ERROR(decoder, STREAM, WRONG_TYPE, ("It holds neither picture nor video."),
                      (nullptr));
}

Error undecodable(const std::string& path, const PictureFormat* format, const std::string& why,
                  std::string hint) {
  const std::string subject = format ? std::string("the ") + format->name + " picture " : "";
  if (format) hint = "is it damaged? Otherwise convert it to PNG";
  return {Code::kUnreadable, path + ": " + subject + "cannot be decoded: " + why, std::move(hint)};
}

Error error_of(GstMessage* message, const std::string& path, const PictureFormat* format) {
  GError* raw = nullptr;
  gst_message_parse_error(message, &raw, nullptr);
  const GErrorPtr error(raw);
  const bool plugin = g_error_matches(raw, GST_CORE_ERROR, GST_CORE_ERROR_MISSING_PLUGIN) ||
                      g_error_matches(raw, GST_STREAM_ERROR, GST_STREAM_ERROR_CODEC_NOT_FOUND);
  std::string text = error->message;
  while (text.ends_with('.')) text.pop_back();
  return undecodable(
      path, format, text,
      plugin ? "is it a picture or a video? Then install the GStreamer plugin for it" : "");
}

void look_for_running_task(const GValue* item, gpointer user) {
  GstElement* element = GST_ELEMENT(g_value_get_object(item));
  GST_OBJECT_LOCK(element);
  for (GList* pad = element->pads; pad; pad = pad->next)
    if (gst_pad_get_task_state(GST_PAD(pad->data)) == GST_TASK_STARTED)
      *static_cast<bool*>(user) = true;
  GST_OBJECT_UNLOCK(element);
}

// Whether any streaming thread could still bring a frame. decodebin swallows the error of a demuxer
// that fails while it is being plugged in (GStreamer 1.22), and then nothing happens any more.
bool is_alive(GstElement* pipeline) {
  bool running = false;
  const std::unique_ptr<GstIterator, Free> elements(gst_bin_iterate_recurse(GST_BIN(pipeline)));
  // Elements that come and go while one looks are a sign of life, too.
  return gst_iterator_foreach(elements.get(), look_for_running_task, &running) !=
             GST_ITERATOR_DONE ||
         running;
}

}  // namespace

void Decoder::Stop::operator()(GstElement* pipeline) const {
  gst_element_set_state(pipeline, GST_STATE_NULL);
  gst_object_unref(pipeline);
}

Decoder::Decoder(std::string path, const PictureFormat* format,
                 std::unique_ptr<GstElement, Stop> pipeline)
    : path_(std::move(path)),
      format_(format),
      pipeline_(std::move(pipeline)),
      sink_(gst_bin_get_by_name(GST_BIN(pipeline_.get()), "sink")),
      bus_(gst_element_get_bus(pipeline_.get())) {}

Result<Decoder> Decoder::open(const std::string& path) {
  TV_RETURN_IF_ERROR(initialise());
  TV_RETURN_IF_ERROR(check_file(path));
  const std::vector<std::uint8_t> head = head_of(path);
  if (is_jpeg(std::as_bytes(std::span(head)))) return open_jpeg(path);
  const PictureFormat* format = picture_format(head);
  if (format) TV_RETURN_IF_ERROR(check_picture(*format, head, path));
  return open_stream(path, format);
}

Result<Decoder> Decoder::open_jpeg(const std::string& path) {
  TV_ASSIGN_OR_RETURN(const FileBytes file, read_file(path, kLargestPicture));
  auto picture = decode_jpeg(file.span());
  if (picture) return Decoder(path, frame_of(std::move(*picture)));
  return in_file(std::move(picture.error()), path);
}

Result<Decoder> Decoder::open_stream(const std::string& path, const PictureFormat* format) {
  const std::string line =
      kSource + (format ? std::string(format->element) + " ! " : kStream) + kSink;
  GError* raw = nullptr;
  std::unique_ptr<GstElement, Stop> pipeline(
      gst_parse_launch_full(line.c_str(), nullptr, GST_PARSE_FLAG_FATAL_ERRORS, &raw));
  const GErrorPtr error(raw);
  if (!pipeline)
    return Error{Code::kUnavailable,
                 std::string("GStreamer cannot decode files: ") +
                     (error ? error->message : "no reason given"),
                 "install gstreamer1.0-plugins-base"};
  Decoder decoder(path, format, std::move(pipeline));
  GstElement* bin = decoder.pipeline_.get();
  g_object_set(child(bin, "source").get(), "location", path.c_str(), nullptr);
  if (const ElementRef decode = child(bin, "decoder")) {
    g_signal_connect(decode.get(), "autoplug-continue", G_CALLBACK(on_autoplug_continue), nullptr);
    g_signal_connect(decode.get(), "pad-added", G_CALLBACK(on_pad_added), bin);
    g_signal_connect(decode.get(), "no-more-pads", G_CALLBACK(on_no_more_pads), bin);
  }
  const CapsRef caps = accepted_caps();
  gst_app_sink_set_caps(GST_APP_SINK(decoder.sink_.get()), caps.get());
  gst_element_set_state(decoder.pipeline_.get(), GST_STATE_PLAYING);  // a failure is on the bus
  return decoder;
}

Result<std::optional<DecodedFrame>> Decoder::next(const std::atomic<bool>& stop) {
  if (!pipeline_) return std::exchange(picture_, std::nullopt);
  for (int idle = 0;;) {
    if (stop) return Error{Code::kCancelled, path_ + ": stopped", ""};
    const SampleRef sample(gst_app_sink_try_pull_sample(GST_APP_SINK(sink_.get()), kPoll));
    if (!sample) {
      const MessageRef message(gst_bus_pop_filtered(bus_.get(), GST_MESSAGE_ERROR));
      if (message) return error_of(message.get(), path_, format_);
      if (gst_app_sink_is_eos(GST_APP_SINK(sink_.get()))) {
        if (any_) return std::optional<DecodedFrame>();
        return undecodable(path_, format_, "it ends before its first frame", "is it damaged?");
      }
      idle = is_alive(pipeline_.get()) ? 0 : idle + 1;
      if (idle == kIdlePolls)
        return undecodable(path_, format_, "GStreamer gave up without a reason", "is it damaged?");
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
    any_ = true;
    if (format_ && format_->check_frame) {
      TV_ASSIGN_OR_RETURN(const Frame mapped, map_frame(frame.buffer.get(), frame.info));
      if (const Status checked = format_->check_frame(mapped.view); !checked)
        return in_file(checked.error(), path_);
    }
    return std::optional<DecodedFrame>(std::move(frame));
  }
}

}  // namespace tv::cli
