// View: what the console's page is told, as JSON. PURE: reads the metric store, decides nothing.
//
// One kind of message:
//   {"t": ms, "branch": who is asked, "serves": bool,
//    "money": {"state": "holds|partial|unknown|broken", "detail": "...", "total": "400" or null},
//    "balances": [["shared", "400"], ...], "accounts": 1,
//    "branches": [{"id", "host", "liveness", "leads", "role", "term", "ready", "position", "lag",
//                  "digest", "ops", "ops_read", "ops_write", "p50", "p99"}, ...],
//    "points": [{"b": branch, "t": ms, "v": {"ops": 12.5, ...}}, ...],
//    "events": [{"t", "agent", "incarnation", "number", "kind", "text"}, ...]}
// Amounts are strings: a browser's numbers end at 2^53. Times are Unix milliseconds of the agent.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "branch/telemetry/metric_store.h"
#include "common/agreement.h"
#include "common/ids.h"

namespace bank::console {

struct ViewSources {
  BranchId self;
  std::vector<BranchId> members;
  std::function<bool()> serves;
  // The largest balances, highest first, at most `limit`.
  std::function<std::vector<std::pair<std::string, int64_t>>(size_t limit)> balances;
};

// One thread at a time.
class View {
 public:
  // The metric store must outlive the view.
  View(ViewSources sources, telemetry::MetricStore& store);

  // How far a page's charts go back.
  static constexpr int64_t kHistoryMs = 600'000;

  // The message for a page that has seen everything before `since_ms` (0: nothing yet).
  std::string Compose(int64_t now_ms, int64_t since_ms);

  // The message for pages that had all earlier ones: what has come in since the last call of this
  // or of PassOver(), however old it is. A branch that was away learns of the past late.
  std::string ComposeNews(int64_t now_ms);

  // Nobody looks. Compares the branches all the same: a difference is on the page whenever somebody
  // looks later.
  void PassOver();

 private:
  Agreement::Verdict CompareIn(const std::vector<telemetry::AgentView>& agents);
  // What is so now, without points and events.
  nlohmann::ordered_json Now(int64_t now_ms);

  const ViewSources sources_;
  const telemetry::MetricStore& store_;
  std::unique_ptr<telemetry::MetricStore::Subscription> news_;
  Agreement agreement_;
};

}  // namespace bank::console
