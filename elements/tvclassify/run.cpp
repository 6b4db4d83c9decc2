#include "elements/tvclassify/run.hpp"

#include <algorithm>
#include <utility>

#include "elements/common/bus.hpp"
#include "elements/common/log.hpp"
#include "elements/inference/model_source.hpp"
#include "elements/tvclassify/messages.hpp"

namespace tv {
namespace {

constexpr std::uint64_t kMeasureEvery = 64;  // frames
// Smaller changes of the latency are nobody's business.
constexpr GstClockTime kLatencyStep = 5 * GST_MSECOND;

int percent(std::uint64_t done, std::uint64_t total) {
  if (total == 0) return -1;
  return static_cast<int>(std::min<std::uint64_t>(100, done * 100 / total));
}

/// How many buffers there are of this one's pool; 0: as many as are wanted.
std::size_t pool_size(const GstBuffer* buffer) {
  if (!buffer->pool) return 0;
  guint max = 0;
  const StructurePtr config(gst_buffer_pool_get_config(buffer->pool));
  gst_buffer_pool_config_get_params(config.get(), nullptr, nullptr, nullptr, &max);
  return max;
}

std::shared_ptr<GstElement> hold(GstElement* element) {
  return {GST_ELEMENT(gst_object_ref(element)), gst_object_unref};
}

Error cannot_load(const std::string& name, const Error& error) {
  return {error.code, "cannot load weights \"" + name + "\": " + error.what, error.hint};
}

/// Says on the bus how loading goes. Holds the element: whoever hears of it may stop the element,
/// and even let go of it, on the thread that tells.
Loading::Listener load_reporter(GstElement* element, const Choice& choice,
                                std::function<void(const Error&)> on_failure) {
  const std::shared_ptr<GstElement> held = hold(element);
  const std::string name = choice.name();
  Loading::Listener listener;
  listener.started = [held, name] {
    post_progress(held.get(), GST_PROGRESS_TYPE_START, "Loading " + name);
  };
  listener.loaded = [held, name,
                     side = choice.recipe.crop_size](const inference::SharedModel& model) {
    GST_INFO_OBJECT(held.get(), "%s on %s, input %dx%d", name.c_str(), model.device().c_str(), side,
                    side);
    if (!model.why_cpu().empty())
      GST_INFO_OBJECT(held.get(), "device=auto is the CPU: %s", model.why_cpu().c_str());
    post_progress(held.get(), GST_PROGRESS_TYPE_COMPLETE, name + " is ready on " + model.device(),
                  100);
  };
  listener.failed = [held, name, on_failure = std::move(on_failure)](const Error& error) {
    post_progress(held.get(), GST_PROGRESS_TYPE_ERROR, "Cannot load " + name);
    on_failure(cannot_load(name, error));
  };
  listener.cancelled = [held, name] {
    post_progress(held.get(), GST_PROGRESS_TYPE_CANCELED, "Loading " + name + " was cancelled");
  };
  listener.progress = [held, name](std::uint64_t done, std::uint64_t total) {
    post_progress(held.get(), GST_PROGRESS_TYPE_CONTINUE, "Downloading " + name,
                  percent(done, total));
  };
  return listener;
}

Loading::Source source_for(const Choice& choice, const Settings& settings) {
  const auto spec = std::make_shared<inference::ModelSpec>(choice.spec);
  const int side = choice.recipe.crop_size;
  Loading::Source source;
  source.key = [spec, side, share = settings.share,
                group = settings.model_id](const CancelCheck& cancelled) -> Result<std::string> {
    if (!share) return std::string();
    return inference::model_key(*spec, side, group, cancelled);
  };
  source.load = [spec, side, offline = settings.offline, batch = settings.batch_size] {
    return inference::model_loader(std::move(*spec), side, offline, batch);
  };
  return source;
}

}  // namespace

Run::Run(GstElement* element, GstPad* source, GstTaskFunction loop, Choice choice,
         const Settings& settings, std::shared_ptr<Counters> counters)
    : element_(element),
      source_(source),
      loop_(loop),
      name_(GCharPtr(gst_element_get_name(element)).get()),
      settings_(settings),
      counters_(std::move(counters)),
      announcer_(std::make_shared<Announcer>(element)),
      intake_(element, settings, tracked_),
      outlet_(element, announcer_, tracked_),
      choice_(std::move(choice)) {}

Status Run::load() {
  auto on_failure = [announcer = announcer_, source = source_of(choice_)](const Error& error) {
    announcer->post(error, Stage::kLoad, source);
  };
  auto loading = Loading::begin(source_for(choice_, settings_),
                                load_reporter(element_, choice_, std::move(on_failure)));
  if (!loading) return cannot_load(choice_.name(), loading.error());
  const std::lock_guard lock(mutex_);
  loading_ = std::move(*loading);
  return {};
}

Run::~Run() {
  close();
}

// ---- the model --------------------------------------------------------------------------------

std::shared_ptr<const Active> Run::active() const {
  const std::lock_guard lock(mutex_);
  return active_;
}

Choice Run::choice() const {
  const std::lock_guard lock(mutex_);
  return choice_;
}

std::shared_ptr<const Active> Run::activate(Choice choice,
                                            std::shared_ptr<inference::SharedModel> model) {
  measured_ =
      settings_.batch_timeout_ns + static_cast<GstClockTime>(model->first_inference().count());
  tell_latency();
  const inference::BatchTerms terms{.size = settings_.batch_size,
                                    .timeout = std::chrono::nanoseconds(settings_.batch_timeout_ns),
                                    .in_flight = settings_.max_in_flight};
  const std::shared_ptr<const Active> made = inference::DeferredEnd::share(
      ends_, std::make_unique<const Active>(choice, std::move(model), name_, terms));
  const std::lock_guard lock(mutex_);
  choice_ = std::move(choice);
  active_ = made;
  return made;
}

std::shared_ptr<const Active> Run::current() {
  std::unique_ptr<Loading> loaded;
  std::optional<Choice> choice;
  std::shared_ptr<const Active> before;
  {
    const std::lock_guard lock(mutex_);
    before = active_;
    if (!before && loading_->readiness() == Loading::Readiness::kReady) {
      choice = choice_;
    } else if (next_ && next_->readiness() == Loading::Readiness::kReady) {
      loaded = std::move(next_);
      choice = std::exchange(next_choice_, std::nullopt);
    }
  }
  if (!choice) return before;
  if (!loaded) return activate(std::move(*choice), loading_->take_model());
  if (const Status fits = intake_.fits(choice->recipe); !fits) {
    post_warning(element_,
                 {fits.error().code,
                  "cannot change over to weights \"" + choice->name() + "\": " + fits.error().what,
                  fits.error().hint},
                 Stage::kSettings);
    return before;
  }
  if (before) before->hurry();
  return activate(std::move(*choice), loaded->take_model());
}

void Run::change_weights(Choice choice, std::uint64_t turn) {
  auto on_failure = [held = hold(element_), source = source_of(choice)](const Error& error) {
    post_warning(held.get(), {error.code, error.what + "; those before go on", error.hint},
                 Stage::kLoad, source);
  };
  auto begun =
      Loading::begin(source_for(choice, settings_), load_reporter(element_, choice, on_failure));
  if (!begun) return on_failure(cannot_load(choice.name(), begun.error()));
  std::unique_ptr<Loading> next = std::move(*begun);
  std::vector<std::unique_ptr<Loading>> ended;  // they end with no lock held
  const std::lock_guard lock(mutex_);
  if (closed_ || turn < next_turn_) {
    next->close();
    given_up_.push_back(std::move(next));
    return;
  }
  // One before that is still loading is not waited for: it may be in the middle of a large file.
  // One that has loaded goes now, with its model.
  if (next_) {
    next_->close();
    given_up_.push_back(std::move(next_));
  }
  for (auto& each : given_up_)
    if (each->has_ended()) ended.push_back(std::move(each));
  std::erase(given_up_, nullptr);
  next_ = std::move(next);
  next_choice_ = std::move(choice);
  next_turn_ = turn;
}

std::string Run::about() const {
  const std::lock_guard lock(mutex_);
  const std::string sha256 = active_ ? active_->model().sha256() : "";
  return source_of(choice_) + (sha256.empty() ? "" : ", sha256 " + sha256);
}

void Run::report(const Error& error, Stage stage, const std::source_location& where) {
  announcer_->post(error, stage, about(), where);
}

// ---- the streaming thread ---------------------------------------------------------------------

Status Run::set_caps(GstCaps* caps) {
  TV_RETURN_IF_ERROR(intake_.set_caps(caps, choice().recipe));
  const GstVideoInfo& info = *intake_.info();
  frame_duration_ = GST_VIDEO_INFO_FPS_N(&info) > 0
                        ? gst_util_uint64_scale_int(GST_SECOND, GST_VIDEO_INFO_FPS_D(&info),
                                                    GST_VIDEO_INFO_FPS_N(&info))
                        : GST_CLOCK_TIME_NONE;
  return {};
}

GstFlowReturn Run::accept(BufferRef buffer, const LiveSettings& live) {
  // Also frames that need no inference wait: none passes before it is known that the model can be
  // had.
  switch (loading_->wait_ready()) {
    case Loading::Readiness::kReady:
      break;
    case Loading::Readiness::kFailed:
      reported_ = true;
      return GST_FLOW_ERROR;
    case Loading::Readiness::kInterrupted:
      return GST_FLOW_FLUSHING;
  }
  if (const GstFlowReturn flow = wait_for_room(); flow != GST_FLOW_OK) return flow;
  const std::shared_ptr<const Active> active = current();
  // Those of before a refusal downstream were cancelled.
  if (cancelled_.exchange(false)) intake_.forget_jobs();
  const std::size_t most = settings_.batch_timeout_ns > 0 ? pool_size(buffer.get()) : 0;
  Passing frame = intake_.judge(std::move(buffer), active, live, *counters_);
  jobs_.clear();
  if (frame.job) jobs_.push_back(frame.job);
  for (const RegionLook& look : frame.regions)
    if (look.job) jobs_.push_back(look.job);
  StreamQueue::Entry entry{.value = {std::move(frame), nullptr},
                           .parts = static_cast<unsigned>(jobs_.size()),
                           .counted = true,
                           .deadline = {}};
  if (settings_.latency_mode == LatencyMode::kLive)
    entry.deadline = StreamQueue::Clock::now() + std::chrono::nanoseconds(settings_.max_latency_ns);
  counters_->entered();
  const std::optional<std::uint64_t> id = queue_->append(std::move(entry));
  if (!id) {
    counters_->flushed(1);
    return flow_;
  }
  if (!jobs_.empty()) {
    for (const inference::JobRef& job : jobs_) {
      job->completion = queue_;
      job->id = *id;
    }
    active->submit(jobs_);
    jobs_.clear();
    // Until these are done, all other frames are "busy".
    if (settings_.latency_mode == LatencyMode::kLive) active->set_quiet(true);
  }
  // Upstream has no buffer left for another picture: none comes before one of these has left.
  if (most > 0 && queue_->size() >= most) active->hurry();
  return GST_FLOW_OK;
}

/// A stream that waits for room sends no picture meanwhile: no batch waits for it.
GstFlowReturn Run::wait_for_room() {
  const std::size_t limit = settings_.max_in_flight;
  while (true) {
    std::shared_ptr<const Active> quiet;
    if (queue_->size() >= limit && (quiet = active())) quiet->set_quiet(true);
    const bool room = queue_->wait_for_room(limit);
    if (room && quiet && settings_.latency_mode == LatencyMode::kComplete) quiet->set_quiet(false);
    if (room) return GST_FLOW_OK;
    // Closed; where somebody has resumed since, the frame goes on.
    const std::lock_guard lock(mutex_);
    if (flow_ != GST_FLOW_OK) return flow_;
  }
}

bool Run::pass(EventRef event) {
  switch (GST_EVENT_TYPE(event.get())) {
    case GST_EVENT_STREAM_START:
      intake_.forget();
      break;
    case GST_EVENT_EOS:
    case GST_EVENT_SEGMENT_DONE:
      // Behind the last frame of a segment that is played in a loop nothing comes, either, until
      // somebody who has heard of it seeks.
      if (const auto seat = active()) {
        seat->hurry();
        seat->set_quiet(true);
      }
      break;
    case GST_EVENT_CAPS:
      if (const auto seat = active()) seat->hurry();
      break;
    default:
      break;
  }
  const StreamItem item{std::nullopt, EventRef(gst_event_ref(event.get())), ++passed_};
  StreamQueue::Entry entry{.value = {std::nullopt, std::move(event), passed_},
                           .parts = 0,
                           .counted = false,
                           .deadline = {}};
  return queue_->append(std::move(entry)).has_value() || keep(item);
}

bool Run::drain() {
  if (const auto seat = active()) seat->hurry();
  return queue_->wait_until_empty();
}

// ---- the source thread ------------------------------------------------------------------------

GstFlowReturn Run::deliver() {
  GstFlowReturn flow = GST_FLOW_OK;
  {
    std::optional<StreamQueue::Taken> taken = queue_->take();
    if (!taken) return flow_;
    if (std::optional<Passing>& frame = taken->value.frame) {
      const bool go_on = outlet_.finish(*frame, taken->in_time, *counters_);
      measure();
      flow = gst_pad_push(source_, frame->buffer.release());
      if (!go_on) {
        reported_ = true;
        flow = GST_FLOW_ERROR;
      }
    } else {
      if (GST_EVENT_TYPE(taken->value.event.get()) == GST_EVENT_STREAM_START) outlet_.forget();
      gst_pad_push_event(source_, taken->value.event.release());
    }
  }
  // In this order: who waits for emptiness must not take it for success.
  if (flow != GST_FLOW_OK) shut(flow);
  queue_->leave();
  return flow;
}

void Run::rest() {
  const std::lock_guard lock(mutex_);
  if (flow_ != GST_FLOW_OK) gst_pad_pause_task(source_);
}

/// Now and then: how long a picture takes, and whether that is news to the pipeline.
void Run::measure() {
  const GstClockTime time = gst_util_get_timestamp();
  if (++since_measured_ < kMeasureEvery && time - measured_at_ < GST_SECOND) return;
  since_measured_ = 0;
  measured_at_ = time;
  const Stats stats = counters_->stats();
  if (stats.total.count() == 0) return;
  const GstClockTime now = stats.total.summary().p95, before = measured_;
  const GstClockTime difference = now > before ? now - before : before - now;
  if (difference < kLatencyStep || difference < before / 4) return;
  measured_ = now;
  tell_latency();
}

/// That of live mode is what max-latency says.
void Run::tell_latency() {
  if (settings_.latency_mode == LatencyMode::kComplete)
    gst_element_post_message(element_, gst_message_new_latency(GST_OBJECT(element_)));
}

// ---- any thread -------------------------------------------------------------------------------

bool Run::resume() {
  const std::lock_guard lock(mutex_);
  if (!closed_) {
    flow_ = GST_FLOW_OK;
    reported_ = false;
    queue_->open();
  }
  return gst_pad_start_task(source_, loop_, element_, nullptr) != FALSE;
}

/// At once: whoever resumes comes before or after.
std::vector<StreamQueue::Entry> Run::stop_with(GstFlowReturn flow) {
  const std::lock_guard lock(mutex_);
  flow_ = flow;
  return queue_->close();
}

/// Leaves a sticky event on the source pad, from where it goes out before the next buffer. A
/// flushing pad takes no SEGMENT, which upstream sends again. True: it is there, or a newer one is:
/// the streaming thread may keep one while the flush keeps those before it.
bool Run::keep(const StreamItem& item) {
  GstEvent* const event = item.event.get();
  if (!event || GST_EVENT_TYPE(event) == GST_EVENT_EOS) return false;
  const GstEventType type = GST_EVENT_TYPE(event);
  const GstEventTypeFlags flags = gst_event_type_get_flags(type);
  if ((flags & GST_EVENT_TYPE_STICKY) == 0) return false;
  const std::lock_guard lock(kept_mutex_);
  std::uint64_t& newest = kept_[type];
  if (item.order < newest && (flags & GST_EVENT_TYPE_STICKY_MULTI) == 0) return true;
  newest = std::max(newest, item.order);
  return gst_pad_store_sticky_event(source_, event) == GST_FLOW_OK;
}

void Run::discard(const std::vector<StreamQueue::Entry>& rest) {
  if (const auto seat = active()) seat->cancel();
  cancelled_ = true;
  std::uint64_t frames = 0;
  for (const StreamQueue::Entry& entry : rest)
    if (!keep(entry.value) && entry.value.frame) ++frames;
  counters_->flushed(frames);
}

void Run::shut(GstFlowReturn flow) {
  discard(stop_with(flow));
}

void Run::begin_flush() {
  {
    const std::lock_guard lock(mutex_);
    loading_->set_flushing(true);
  }
  announcer_->set_flushing(true);
  halt();
}

void Run::halt() {
  const std::vector<StreamQueue::Entry> rest = stop_with(GST_FLOW_FLUSHING);
  // Waits for the source thread: an event that it pushes is older than those that are kept.
  gst_pad_pause_task(source_);
  discard(rest);
}

bool Run::end_flush() {
  {
    const std::lock_guard lock(mutex_);
    loading_->set_flushing(false);
  }
  announcer_->set_flushing(false);
  intake_.forget();
  outlet_.forget();
  return resume();
}

void Run::close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    if (loading_) loading_->close();
    if (next_) next_->close();
    for (const auto& each : given_up_) each->close();
  }
  announcer_->close();
  shut(GST_FLOW_FLUSHING);
}

Run::Latency Run::latency() const {
  if (settings_.latency_mode == LatencyMode::kLive)
    return {settings_.max_latency_ns, GST_CLOCK_TIME_NONE};
  Latency latency;
  latency.min = std::max<GstClockTime>(settings_.batch_timeout_ns, measured_);
  if (const GstClockTime duration = frame_duration_; GST_CLOCK_TIME_IS_VALID(duration))
    latency.max = std::max<GstClockTime>(latency.min, duration * settings_.max_in_flight);
  return latency;
}

}  // namespace tv
