// A picture or video file as decoded frames: JPEG pictures by libjpeg as in Pillow, the formats of
// picture_format.hpp by the element that they name, the rest by GStreamer's choice.
#pragma once

#include <gst/gst.h>
#include <gst/video/video.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "elements/common/gst_ptr.hpp"
#include "model_registry/error.hpp"
#include "tools/tvmodels/picture_format.hpp"

namespace tv::cli {

/// One decoded frame in a format of tv::pixel_formats().
struct DecodedFrame {
  BufferRef buffer;
  GstVideoInfo info;
  std::optional<GstClockTime> time;  ///< in the stream; nanoseconds
};

/// Decodes the first video stream of a file as fast as frames are taken. One thread at a time.
class Decoder {
 public:
  /// Initialises GStreamer on first use. Fails: NotFound, Unreadable (no such file, no regular
  /// file, a damaged JPEG or cut BMP picture), Unavailable (a GStreamer plugin is missing),
  /// Unsupported (a format that no installed element decodes right).
  static Result<Decoder> open(const std::string& path);

  /// The next frame; nothing at the end of the stream. Fails: Unreadable with GStreamer's own
  /// words, or because there was no frame at all; Unsupported (a GIF that is transparent in parts);
  /// Cancelled soon after `stop` became true.
  Result<std::optional<DecodedFrame>> next(const std::atomic<bool>& stop);

 private:
  struct Stop {
    void operator()(GstElement* pipeline) const;
  };
  struct Unref {
    void operator()(gpointer object) const { gst_object_unref(object); }
  };
  Decoder(std::string path, const PictureFormat* format,
          std::unique_ptr<GstElement, Stop> pipeline);
  Decoder(std::string path, DecodedFrame picture)
      : path_(std::move(path)), picture_(std::move(picture)) {}
  static Result<Decoder> open_jpeg(const std::string& path);
  static Result<Decoder> open_stream(const std::string& path, const PictureFormat* format);

  std::string path_;
  std::optional<DecodedFrame> picture_;    // the only frame, until next() took it
  const PictureFormat* format_ = nullptr;  // of a row of its own
  bool any_ = false;                       // a frame has come
  // Of GStreamer; all empty for a JPEG picture.
  std::unique_ptr<GstElement, Stop> pipeline_;
  std::unique_ptr<GstElement, Unref> sink_;
  std::unique_ptr<GstBus, Unref> bus_;
};

}  // namespace tv::cli
