// ERROR messages from threads that are not the application's, posted when it can hear them.
#pragma once

#include <gst/gst.h>

#include <memory>

#include "elements/common/bus.hpp"

namespace tv {

/// gst-launch-1.0 stops its main loop from the bus's sync handler, on the thread that posts. While
/// the pipeline prerolls, that loop may not run yet: g_main_loop_run() then forgets the stop, the
/// error has made the bin give up its state change, no further message comes, and the program
/// hangs. So an error is given to the default main context first, whose dispatch proves that the
/// loop runs. Where nobody iterates that context, the caller posts it after a little patience.
/// Thread-safe.
class Announcer {
 public:
  /// The element must outlive the announcer.
  explicit Announcer(GstElement* element);
  ~Announcer();
  Announcer(const Announcer&) = delete;
  Announcer& operator=(const Announcer&) = delete;

  /// post_error(), once; returns when the message is on the bus, after at most half a second beyond
  /// the end of a state change that is under way, and never more than five seconds. Call with no
  /// lock held.
  void post(const Error& error, Stage stage, std::string_view about,
            const std::source_location& where = std::source_location::current());

  /// While true, post() does not wait.
  void set_flushing(bool flushing);
  /// The element is being stopped: from now on post() does not wait. On the thread that called this
  /// it posts nothing either: that thread stopped the element on hearing of the failure, and may
  /// have started it again.
  void close();

 private:
  struct Shared;
  struct Notice;
  static gboolean dispatch(gpointer notice);
  static void deliver(Notice& notice);

  GstElement* const element_;
  const std::shared_ptr<Shared> shared_;
};

}  // namespace tv
