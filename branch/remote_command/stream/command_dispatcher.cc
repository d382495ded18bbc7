#include "branch/remote_command/stream/command_dispatcher.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "branch/remote_command/catalog.h"
#include "branch/remote_command/stream/convert.h"
#include "branch/telemetry/stream/convert.h"
#include "common/clock.h"
#include "common/one_line.h"

namespace bank::remote_command {
namespace {

constexpr int64_t kSettleLookNs = 50'000'000;
constexpr size_t kRunningMax = 1'000;  // ids of one agent

grpc::Status NoLeader() {
  return {grpc::StatusCode::UNAVAILABLE, "this branch leads no longer: ask again with the same id"};
}

v1::CommandResult ResultOf(v1::CommandResult::Outcome outcome, std::string message) {
  v1::CommandResult result;
  result.set_outcome(outcome);
  result.set_exit_status(outcome == v1::CommandResult::DONE ? 0 : 1);
  result.set_message(std::move(message));
  return result;
}

v1::CommandResult ResultOf(const telemetry::AuditRecord& record) {
  v1::CommandResult result;
  result.set_outcome(static_cast<v1::CommandResult::Outcome>(record.outcome));
  result.set_exit_status(record.exit_status);
  result.set_message(record.message);
  result.set_started_unix_nanos(record.started_unix_ns);
  result.set_ended_unix_nanos(record.ended_unix_ns);
  result.set_repeated(true);
  return result;
}

// An agent may be anybody's: its message is one line, and its outcome one that there is.
v1::CommandResult Checked(v1::CommandResult result) {
  result.set_message(OneLine(result.message(), telemetry::kLineMax));
  if (!v1::CommandResult::Outcome_IsValid(result.outcome())) {
    result.set_outcome(v1::CommandResult::UNKNOWN);
  }
  return result;
}

v1::CommandResult OtherCommand(const std::string& id, const std::string& text) {
  return ResultOf(v1::CommandResult::REFUSED,
                  fmt::format("the id {} belongs to another command: {}", id, text));
}

}  // namespace

CommandDispatcher::CommandDispatcher(Options options, CommandLog& log, net::TaskQueue& task_queue)
    : options_(std::move(options)), log_(log), task_queue_(task_queue) {}

bool CommandDispatcher::IsSettled() const {
  if (task_queue_.clock().NowNs() - leading_since_ns_ >= kSettleNs) return true;
  const std::vector<std::string> branches = options_.branches();
  return std::all_of(branches.begin(), branches.end(),
                     [this](const std::string& branch) { return agents_.contains(branch); });
}

// Whether it is worth waiting for an agent that is not connected.
bool CommandDispatcher::MayConnect(const std::string& agent) const {
  const std::vector<std::string> branches = options_.branches();
  return !IsSettled() || std::find(branches.begin(), branches.end(), agent) != branches.end();
}

void CommandDispatcher::SetLeading(bool leading) {
  if (std::exchange(leading_, leading) == leading) return;
  leading_since_ns_ = task_queue_.clock().NowNs();
  if (leading) return;
  for (auto& [name, agent] : std::exchange(agents_, {})) agent.line->End(NoLeader());
  for (auto& [key, dispatch] : std::exchange(dispatches_, {})) {
    for (const WatchPtr& watch : dispatch.watches) Close(watch, NoLeader());
  }
  finished_.clear();
}

grpc::Status CommandDispatcher::Join(const v1::Agent& agent, bool own, AgentLine* line) {
  if (!leading_) return NoLeader();
  const std::string& name = agent.agent();
  if (absl::Status good = CheckAgentName(name); !good.ok()) {
    return {grpc::StatusCode::INVALID_ARGUMENT, std::string(good.message())};
  }
  if (own != IsBranchName(name)) {
    return {grpc::StatusCode::INVALID_ARGUMENT,
            fmt::format("the name {} is {} a branch of this bank", name, own ? "not for" : "for")};
  }
  if (agents_.size() >= kAgentsMax && !agents_.contains(name)) {
    return {grpc::StatusCode::RESOURCE_EXHAUSTED,
            fmt::format("{} agents are connected already", kAgentsMax)};
  }
  if (const auto known = agents_.find(name); known != agents_.end()) {
    if (known->second.incarnation > agent.incarnation()) {
      return {grpc::StatusCode::FAILED_PRECONDITION,
              fmt::format("a newer incarnation of {} is connected", name)};
    }
    AgentLine* const earlier = known->second.line;
    agents_.erase(known);  // before it ends, and leaves
    earlier->End({grpc::StatusCode::ABORTED, fmt::format("{} has connected again", name)});
  }
  agents_[name] = {line, agent.incarnation(), own, {}};
  for (auto& [key, dispatch] : dispatches_) {
    if (key.second != name || dispatch.result) continue;
    if (own) {
      // It answers from the start: what is known already is passed over.
      dispatch.sent = false;
      dispatch.arriving = 0;
    }
    Advance(key, dispatch);
  }
  return grpc::Status::OK;
}

void CommandDispatcher::Leave(AgentLine* line) {
  std::erase_if(agents_, [&](const auto& agent) { return agent.second.line == line; });
}

void CommandDispatcher::OnResponse(AgentLine* line, const v1::CommandResponse& response) {
  const auto agent = std::find_if(agents_.begin(), agents_.end(),
                                  [&](const auto& a) { return a.second.line == line; });
  if (agent == agents_.end()) return;
  const Key key(response.id(), agent->first);
  const auto it = dispatches_.find(key);
  std::set<std::string>& running = agent->second.running;
  if (response.has_started() && running.size() < kRunningMax && CheckId(response.id()).ok()) {
    running.insert(response.id());
  }
  if (response.has_result()) running.erase(response.id());
  if (it == dispatches_.end()) return;
  Dispatch& dispatch = it->second;
  // What it was not given it cannot answer, and an end that is known stays.
  if (!dispatch.sent) return;
  if (dispatch.result && dispatch.result->outcome() != v1::CommandResult::UNKNOWN) return;
  // A branch that tells it again begins with its start.
  if (response.has_started() && dispatch.own) dispatch.arriving = 0;
  if (response.has_started() && !dispatch.started) {
    dispatch.started = response.started();
    TellAll(agent->first, dispatch,
            [&](v1::CommandUpdate* update) { *update->mutable_started() = response.started(); });
  }
  if (response.has_output()) {
    const std::string& text = response.output().text();
    const size_t known =
        dispatch.output.size() - std::min(dispatch.output.size(), dispatch.arriving);
    dispatch.arriving += text.size();
    if (text.size() <= known) return;
    const std::string fresh = text.substr(known, kOutputBytesMax - dispatch.output.size());
    if (fresh.size() < text.size() - known) dispatch.truncated = true;
    if (fresh.empty()) return;
    dispatch.output += fresh;
    TellAll(agent->first, dispatch,
            [&](v1::CommandUpdate* update) { update->mutable_output()->set_text(fresh); });
  }
  if (response.has_result()) Finish(key, Checked(response.result()));
}

void CommandDispatcher::Run(const v1::RunCommandRequest& request,
                            std::shared_ptr<CommandWatcher> watcher) {
  auto watch = std::make_shared<Watch>();
  watch->watcher = std::move(watcher);
  watch->open = 1;  // until all agents are named
  Resolve(request, watch);
}

void CommandDispatcher::Resolve(const v1::RunCommandRequest& request, const WatchPtr& watch) {
  if (!leading_) return Close(watch, NoLeader());
  if (request.agent().empty() && !IsSettled()) {
    task_queue_.PostAt(task_queue_.clock().NowNs() + kSettleLookNs,
                       [this, request, watch] { Resolve(request, watch); });
    return;
  }
  std::set<std::string> names(request.agent().begin(), request.agent().end());
  if (names.empty()) {
    for (const auto& [name, agent] : agents_) {
      if (agent.own) names.insert(name);
    }
  }
  watch->open += names.size();
  for (const std::string& name : names) Begin(request, name, watch);
  Close(watch, grpc::Status::OK);
}

void CommandDispatcher::Begin(const v1::RunCommandRequest& request, const std::string& agent,
                              const WatchPtr& watch) {
  if (!agents_.contains(agent) && !MayConnect(agent)) {
    return Close(watch, {grpc::StatusCode::NOT_FOUND,
                         fmt::format("no agent {} is connected", Quote(agent))});
  }
  const Key key(request.id(), agent);
  const auto [it, is_new] = dispatches_.try_emplace(key);
  Dispatch& dispatch = it->second;
  const std::string text = Text(FromWire(request.command()));
  if (!is_new) {
    if (dispatch.text == text) return Attach(dispatch, agent, watch);
    v1::CommandUpdate update;
    update.set_agent(agent);
    *update.mutable_result() = OtherCommand(request.id(), dispatch.text);
    watch->watcher->OnUpdate(std::move(update));
    return Close(watch, grpc::Status::OK);
  }
  dispatch.number = next_number_++;
  dispatch.text = text;
  dispatch.own = IsBranchName(agent);
  dispatch.request.set_id(request.id());
  dispatch.request.set_issuer(request.issuer());
  dispatch.request.set_deadline_ms(request.deadline_ms());
  dispatch.request.set_issued_unix_nanos(options_.unix_now_ns());
  *dispatch.request.mutable_command() = request.command();
  dispatch.watches.push_back(watch);
  After(kConnectNs, key, dispatch.number, &CommandDispatcher::GiveUpConnecting);
  After(request.deadline_ms() * kNsPerMs + kGraceNs, key, dispatch.number,
        &CommandDispatcher::GiveUp);
  Advance(key, dispatch);
}

void CommandDispatcher::Attach(Dispatch& dispatch, const std::string& agent,
                               const WatchPtr& watch) {
  const std::vector<WatchPtr> others = std::exchange(dispatch.watches, {watch});
  if (dispatch.started) {
    TellAll(agent, dispatch,
            [&](v1::CommandUpdate* update) { *update->mutable_started() = *dispatch.started; });
  }
  if (!dispatch.output.empty()) {
    TellAll(agent, dispatch, [&](v1::CommandUpdate* update) {
      update->mutable_output()->set_text(dispatch.output);
    });
  }
  if (dispatch.result) {
    TellAll(agent, dispatch, [&](v1::CommandUpdate* update) {
      *update->mutable_result() = *dispatch.result;
      update->mutable_result()->set_repeated(true);
    });
    dispatch.watches = others;
    return Close(watch, grpc::Status::OK);
  }
  dispatch.watches.insert(dispatch.watches.end(), others.begin(), others.end());
}

void CommandDispatcher::Advance(const Key& key, Dispatch& dispatch) {
  const auto agent = agents_.find(key.second);
  if (agent == agents_.end() || dispatch.sent) return;
  if (dispatch.own || dispatch.recorded) {
    dispatch.sent = true;
    agent->second.line->Send(dispatch.request);
  } else if (!std::exchange(dispatch.recording, true)) {
    Record(key, dispatch);
  }
}

void CommandDispatcher::Record(const Key& key, const Dispatch& dispatch) {
  // An earlier leader may have sent it already: then its end is waited for, and it is not sent.
  if (const auto known = options_.find_record(key.first, key.second)) {
    return task_queue_.Post([this, key, number = dispatch.number, known] {
      OnRecorded(key, number, absl::AlreadyExistsError(""), known);
    });
  }
  options_.background([this, key, number = dispatch.number, record = RecordOf(key, dispatch)] {
    const auto known = log_.Find(key.first, key.second);
    const absl::Status begun = known ? absl::AlreadyExistsError("") : log_.Begin(record);
    if (begun.ok()) options_.audit(record);
    task_queue_.Post([this, key, number, begun, known] { OnRecorded(key, number, begun, known); });
  });
}

void CommandDispatcher::OnRecorded(const Key& key, uint64_t number, const absl::Status& begun,
                                   const std::optional<telemetry::AuditRecord>& known) {
  const auto it = dispatches_.find(key);
  if (it == dispatches_.end() || it->second.number != number || it->second.sent) return;
  Dispatch& dispatch = it->second;
  if (begun.ok()) {
    dispatch.recorded = true;
    return Advance(key, dispatch);
  }
  if (!known) {
    return Finish(key, ResultOf(v1::CommandResult::REFUSED,
                                fmt::format("it cannot be recorded, so it is not sent: {}",
                                            std::string(begun.message()))));
  }
  if (known->command != dispatch.text) return Finish(key, OtherCommand(key.first, known->command));
  if (known->ended_unix_ns != 0) return Finish(key, ResultOf(*known));
  dispatch.sent = true;  // by an earlier leader; the agent may yet tell its end
}

void CommandDispatcher::After(int64_t ns, const Key& key, uint64_t number,
                              void (CommandDispatcher::*then)(const Key&, Dispatch&)) {
  task_queue_.PostAt(task_queue_.clock().NowNs() + ns, [this, key, number, then] {
    const auto it = dispatches_.find(key);
    if (it == dispatches_.end() || it->second.number != number || it->second.result) return;
    (this->*then)(Key(key), it->second);
  });
}

void CommandDispatcher::GiveUpConnecting(const Key& key, Dispatch& dispatch) {
  if (dispatch.sent || agents_.contains(key.second)) return;
  if (const auto known = options_.find_record(key.first, key.second)) {
    return Finish(key, ResultOf(*known));
  }
  Abandon(key, dispatch.own
                   ? grpc::Status(grpc::StatusCode::FAILED_PRECONDITION,
                                  fmt::format("{} is not connected: it was not sent the command",
                                              key.second))
                   : grpc::Status(grpc::StatusCode::NOT_FOUND,
                                  fmt::format("no agent {} is connected", key.second)));
}

void CommandDispatcher::GiveUp(const Key& key, Dispatch&) {
  Finish(key, ResultOf(v1::CommandResult::UNKNOWN,
                       fmt::format("{} has not answered: ask again with the same id", key.second)));
}

void CommandDispatcher::Finish(const Key& key, v1::CommandResult result) {
  auto it = dispatches_.find(key);
  Dispatch& dispatch = it->second;
  if (dispatch.truncated) result.set_truncated(true);
  const bool known_before = dispatch.result.has_value();
  dispatch.result = std::move(result);
  TellAll(key.second, dispatch,
          [&](v1::CommandUpdate* update) { *update->mutable_result() = *dispatch.result; });
  for (const WatchPtr& watch : std::exchange(dispatch.watches, {})) {
    Close(watch, grpc::Status::OK);
  }
  // A branch remembers by itself.
  if (dispatch.own) {
    dispatches_.erase(it);
    return;
  }
  if (dispatch.recorded && dispatch.result->outcome() != v1::CommandResult::UNKNOWN) {
    options_.background([this, record = RecordOf(key, dispatch)] {
      log_.End(record).IgnoreError();  // it stays unknown after a restart, and is not sent again
      options_.audit(record);
    });
  }
  if (known_before) return;
  finished_.push_back(key);
  while (finished_.size() > kFinishedMax) {
    dispatches_.erase(finished_.front());
    finished_.pop_front();
  }
}

void CommandDispatcher::Abandon(const Key& key, const grpc::Status& status) {
  auto dispatch = dispatches_.extract(key);
  for (const WatchPtr& watch : dispatch.mapped().watches) Close(watch, status);
}

uint32_t CommandDispatcher::Cancel(const std::string& id, const std::string& issuer) {
  uint32_t count = 0;
  v1::CommandRequest cancel;
  cancel.set_id(id);
  cancel.set_issuer(issuer);
  cancel.mutable_cancel();
  std::vector<Key> unsent;
  for (const auto& [key, dispatch] : dispatches_) {
    if (key.first != id || dispatch.result) continue;
    if (!dispatch.sent) {
      unsent.push_back(key);
    } else if (const auto agent = agents_.find(key.second); agent != agents_.end()) {
      agent->second.running.insert(id);
    }
  }
  for (const Key& key : unsent) {
    ++count;
    Finish(key, ResultOf(v1::CommandResult::CANCELLED,
                         fmt::format("cancelled by {} before it was sent", issuer)));
  }
  std::vector<AgentLine*> lines;  // one that cannot take it leaves
  for (const auto& [name, agent] : agents_) {
    if (agent.running.contains(id)) lines.push_back(agent.line);
  }
  for (AgentLine* line : lines) line->Send(cancel);
  count += static_cast<uint32_t>(lines.size());
  return count;
}

telemetry::AuditRecord CommandDispatcher::RecordOf(const Key& key, const Dispatch& dispatch) const {
  telemetry::AuditRecord record;
  record.id = key.first;
  record.agent = key.second;
  record.issuer = OneLine(dispatch.request.issuer(), kIssuerBytesMax);
  record.command = dispatch.text;
  record.issued_unix_ns = dispatch.request.issued_unix_nanos();
  record.started_unix_ns = options_.unix_now_ns();
  if (dispatch.started) record.started_unix_ns = dispatch.started->time_unix_nanos();
  if (!dispatch.result) return record;
  record.ended_unix_ns = dispatch.result->ended_unix_nanos();
  if (record.ended_unix_ns == 0) record.ended_unix_ns = options_.unix_now_ns();
  record.outcome = static_cast<telemetry::CommandOutcome>(dispatch.result->outcome());
  record.exit_status = dispatch.result->exit_status();
  record.message = dispatch.result->message();
  return record;
}

void CommandDispatcher::Close(const WatchPtr& watch, const grpc::Status& status) {
  if (!status.ok()) watch->status = status;
  if (--watch->open == 0) watch->watcher->OnDone(watch->status);
}

template <class Fill>
void CommandDispatcher::TellAll(const std::string& agent, Dispatch& dispatch, Fill fill) {
  for (const WatchPtr& watch : dispatch.watches) {
    v1::CommandUpdate update;
    update.set_agent(agent);
    fill(&update);
    watch->watcher->OnUpdate(std::move(update));
  }
}

}  // namespace bank::remote_command
