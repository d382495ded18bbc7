#include "branch/rpc/connection_tracker.h"

#include <fmt/format.h>

#include <utility>

#include "absl/strings/str_replace.h"

namespace bank::rpc {
namespace {

// "ipv6:%5B::1%5D:4711" as people write it.
std::string Readable(std::string_view peer) {
  for (const std::string_view scheme : {"ipv4:", "ipv6:"}) {
    if (peer.starts_with(scheme)) peer.remove_prefix(scheme.size());
  }
  return absl::StrReplaceAll(absl::string_view(peer.data(), peer.size()),
                             {{"%5B", "["}, {"%5D", "]"}});
}

}  // namespace

ConnectionTracker::ConnectionTracker(Options options, const Clock& clock,
                                     std::function<void(std::string)> tell)
    : options_(options), clock_(clock), tell_(std::move(tell)) {}

ConnectionTracker::Visitor* ConnectionTracker::Find(std::string_view peer) {
  const absl::string_view key(peer.data(), peer.size());
  if (const auto known = visitors_.find(key); known != visitors_.end()) return &known->second;
  if (visitors_.size() >= options_.visitors_max) return nullptr;
  came_.emplace_back(peer);
  return &visitors_[key];
}

void ConnectionTracker::NoteCall(std::string_view peer) {
  const int64_t now_ns = clock_.NowNs();
  absl::MutexLock lock(&mutex_);
  if (Visitor* visitor = Find(peer)) visitor->called_ns = now_ns;
}

void ConnectionTracker::NoteOpened(std::string_view peer) {
  absl::MutexLock lock(&mutex_);
  if (Visitor* visitor = Find(peer)) ++visitor->streams;
}

void ConnectionTracker::NoteClosed(std::string_view peer) {
  absl::MutexLock lock(&mutex_);
  const auto known = visitors_.find(absl::string_view(peer.data(), peer.size()));
  if (known != visitors_.end() && known->second.streams > 0) --known->second.streams;
}

void ConnectionTracker::Sweep() {
  calls_.store(0, std::memory_order_relaxed);
  std::vector<std::string> came;
  std::vector<std::string> left;
  {
    absl::MutexLock lock(&mutex_);
    came.swap(came_);
    const int64_t silent_since_ns = clock_.NowNs() - options_.silence_ns;
    absl::erase_if(visitors_, [&](const auto& entry) {
      const Visitor& visitor = entry.second;
      const bool gone =
          visitor.streams == 0 && (visitor.called_ns == 0 || visitor.called_ns < silent_since_ns);
      if (gone) left.push_back(entry.first);
      return gone;
    });
  }
  Tell(came, "connected");
  Tell(left, "left");
}

void ConnectionTracker::Tell(const std::vector<std::string>& peers, std::string_view what) const {
  if (peers.size() > options_.told_each) {
    return tell_(
        fmt::format("{} customers {}, {} among them", peers.size(), what, Readable(peers.front())));
  }
  for (const std::string& peer : peers) tell_(fmt::format("customer {} {}", Readable(peer), what));
}

}  // namespace bank::rpc
