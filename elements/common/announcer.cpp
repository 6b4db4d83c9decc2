#include "elements/common/announcer.hpp"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "elements/common/gst_ptr.hpp"

namespace tv {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kStep{10};  // between two looks at the state lock
constexpr milliseconds kPatience{
    500};  // for a main loop to run, while no state change is under way
constexpr milliseconds kLongest{
    5000};  // an element whose state change waits for data is not starved

ElementRef top_of(GstElement* element) {
  ElementRef top(GST_ELEMENT(gst_object_ref(element)));
  while (GstObject* parent = gst_object_get_parent(GST_OBJECT(top.get())))
    top.reset(GST_ELEMENT(parent));
  return top;
}

/// Then a loop, if there is one, has run.
bool is_playing(GstElement* top) {
  GST_OBJECT_LOCK(top);
  const bool playing = GST_STATE(top) == GST_STATE_PLAYING;
  GST_OBJECT_UNLOCK(top);
  return playing;
}

bool is_changing_state(GstElement* top) {
  if (!GST_STATE_TRYLOCK(top)) return true;
  GST_STATE_UNLOCK(top);
  return false;
}

}  // namespace

struct Announcer::Shared {
  std::mutex mutex;
  std::condition_variable changed;
  bool flushing = false;
  bool closed = false;
  std::thread::id closed_by;
};

/// One error; the main loop may hold it longer than the announcer lives.
struct Announcer::Notice {
  std::shared_ptr<Shared> shared;
  ElementRef element;
  Error error;
  Stage stage;
  std::string about;
  std::source_location where;
  bool claimed = false;  // somebody posts it
  bool posted = false;
};

Announcer::Announcer(GstElement* element)
    : element_(element), shared_(std::make_shared<Shared>()) {}

Announcer::~Announcer() = default;

void Announcer::deliver(Notice& notice) {
  {
    const std::lock_guard lock(notice.shared->mutex);
    if (std::exchange(notice.claimed, true)) return;
  }
  post_error(notice.element.get(), notice.error, notice.stage, notice.about, notice.where);
  const std::lock_guard lock(notice.shared->mutex);
  notice.posted = true;
  notice.shared->changed.notify_all();
}

gboolean Announcer::dispatch(gpointer notice) {
  Notice& mine = **static_cast<std::shared_ptr<Notice>*>(notice);
  return no_throw<gboolean>(mine.element.get(), G_SOURCE_REMOVE, [&]() -> gboolean {
    deliver(mine);
    return G_SOURCE_REMOVE;
  });
}

void Announcer::post(const Error& error, Stage stage, std::string_view about,
                     const std::source_location& where) {
  if (error.code == Code::kCancelled) return;  // never posted
  {
    const std::lock_guard lock(shared_->mutex);
    if (shared_->closed_by == std::this_thread::get_id()) return;
  }
  const ElementRef top = top_of(element_);
  if (is_playing(top.get()) || g_main_context_is_owner(nullptr))
    return post_error(element_, error, stage, about, where);
  const auto notice =
      std::make_shared<Notice>(Notice{shared_, ElementRef(GST_ELEMENT(gst_object_ref(element_))),
                                      error, stage, std::string(about), where});
  GSource* source = g_idle_source_new();
  g_source_set_priority(source, G_PRIORITY_HIGH);
  g_source_set_callback(source, dispatch, new std::shared_ptr<Notice>(notice),
                        [](gpointer held) { delete static_cast<std::shared_ptr<Notice>*>(held); });
  g_source_attach(source, nullptr);

  std::unique_lock lock(shared_->mutex);
  const auto is_over = [&] { return notice->posted || shared_->flushing || shared_->closed; };
  milliseconds quiet{0};
  for (milliseconds all{0}; quiet < kPatience && all < kLongest; all += kStep) {
    if (shared_->changed.wait_for(lock, kStep, is_over)) break;
    quiet = is_changing_state(top.get()) ? milliseconds{0} : quiet + kStep;
  }
  lock.unlock();
  g_source_destroy(source);
  g_source_unref(source);
  deliver(*notice);
  lock.lock();
  shared_->changed.wait(lock, is_over);
}

void Announcer::set_flushing(bool flushing) {
  const std::lock_guard lock(shared_->mutex);
  shared_->flushing = flushing;
  shared_->changed.notify_all();
}

void Announcer::close() {
  const std::lock_guard lock(shared_->mutex);
  shared_->closed = true;
  shared_->closed_by = std::this_thread::get_id();
  shared_->changed.notify_all();
}

}  // namespace tv
