// bankctl metrics and bankctl events: the bank's condition as lines, the past first, then as it
// comes.
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <grpcpp/client_context.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <set>
#include <tuple>

#include "bankctl/commands.h"
#include "bankctl/metric_reader.h"
#include "bankctl/table.h"
#include "common/exit_code.h"

namespace bank::bankctl {
namespace {

std::string Quoted(const std::string& cell) {
  if (cell.find_first_of(",\"\n\r") == std::string::npos) return cell;
  std::string quoted = "\"";
  for (const char c : cell) {
    quoted += c;
    if (c == '"') quoted += c;
  }
  return quoted + "\"";
}

// JSON has no such numbers: the words are those of protobuf's mapping.
Json ToJson(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  return value;
}

Json ToJson(const Sample& sample) {
  Json json = {{"time", IsoTime(sample.time_unix_ns)},
               {"time_unix_nanos", std::to_string(sample.time_unix_ns)}};
  json.update(Pick(sample.agent, {"hostname", "branch", "agent"}));
  json["metric"] = sample.series->metric();
  json["attributes"] = Json::object();
  for (const auto& [key, value] : sample.series->attributes()) json["attributes"][key] = value;
  json["value"] = ToJson(sample.value);
  json["unit"] = sample.series->unit();
  json["sequence"] = sample.sequence;
  json.update(Pick(sample.agent, {"incarnation"}));
  return json;
}

Json ToJson(const v1::Gap& gap) {
  return Pick(gap, {"gap=reason", "agent", "incarnation", "first_sequence", "last_sequence"});
}

std::string ToText(const v1::Gap& gap) {
  return gap.last_sequence() == 0
             ? fmt::format("gap: {} began anew after frame {}", gap.agent(),
                           gap.first_sequence() - 1)
             : fmt::format("gap: {} frames {} to {} ({})", gap.agent(), gap.first_sequence(),
                           gap.last_sequence(), gap.reason());
}

std::string ToLine(const Sample& sample, Form form) {
  const std::string attributes = AttributesOf(*sample.series);
  const std::string value = fmt::format("{}", sample.value);
  switch (form) {
    case Form::kJson:
      return LineOf(ToJson(sample));
    case Form::kCsv:
      return fmt::format("{},{},{},{},{},{},{},{},{},{}\n", IsoTime(sample.time_unix_ns),
                         Quoted(sample.agent.hostname()), sample.agent.branch(),
                         sample.agent.agent(), Quoted(sample.series->metric()), Quoted(attributes),
                         value, Quoted(sample.series->unit()), sample.sequence,
                         sample.agent.incarnation());
    default:
      return fmt::format("{} {:<10} {}{} = {} {}\n", LocalTime(sample.time_unix_ns),
                         sample.agent.agent(), sample.series->metric(),
                         attributes.empty() ? "" : "{" + attributes + "}", NumberOf(sample.value),
                         sample.series->unit() == "1" ? "" : sample.series->unit());
  }
}

void PrintTable(std::vector<Sample> samples) {
  std::stable_sort(samples.begin(), samples.end(), [](const Sample& a, const Sample& b) {
    return std::tuple(a.agent.agent(), a.sequence) < std::tuple(b.agent.agent(), b.sequence);
  });
  Table table({"TIME", "AGENT", "METRIC", "ATTRIBUTES", "VALUE", "UNIT"});
  for (const Sample& sample : samples) {
    table.Add({LocalTime(sample.time_unix_ns), sample.agent.agent(), sample.series->metric(),
               AttributesOf(*sample.series), NumberOf(sample.value), sample.series->unit()});
  }
  table.Print(std::cout);
}

}  // namespace

std::string IsoTime(int64_t unix_ns) {
  const auto ms = std::chrono::floor<std::chrono::milliseconds>(std::chrono::nanoseconds(unix_ns));
  const auto seconds = std::chrono::floor<std::chrono::seconds>(ms);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z",
                     fmt::gmtime(static_cast<std::time_t>(seconds.count())),
                     (ms - seconds).count());
}

std::string LocalTime(int64_t unix_ns) {
  return fmt::format("{:%H:%M:%S}",
                     fmt::localtime(static_cast<std::time_t>(unix_ns / 1'000'000'000)));
}

std::string NumberOf(double value) {
  if (std::abs(value) >= 1e15 || !std::isfinite(value)) return fmt::format("{:g}", value);
  if (value == std::floor(value)) return fmt::format("{:.0f}", value);
  return fmt::format("{:.{}f}", value, std::abs(value) >= 100 ? 1 : 3);
}

int ShowMetrics(const Context& context, const MetricsOptions& options) {
  auto branches = WholeBank(context);
  if (!branches.ok()) return Fail(branches.status());
  v1::StreamMetricsRequest request = options.request;
  if (options.since.count() > 0) {
    const auto since = std::chrono::system_clock::now() - options.since;
    request.set_since_unix_nanos(std::chrono::nanoseconds(since.time_since_epoch()).count());
  }
  MetricReader reader(*branches, std::move(request), context.timeout);
  MetricReader::Update update;
  std::vector<Sample> rows;
  if (context.form == Form::kCsv) {
    std::cout << "time,hostname,branch,agent,metric,attributes,value,unit,sequence,incarnation\n";
  }
  const bool table = context.form == Form::kTable && !options.follow;
  while (reader.Next(&update)) {
    for (const v1::Gap& gap : update.gaps) {
      if (context.form == Form::kJson) {
        std::cout << LineOf(ToJson(gap));
      } else {
        std::cerr << ToText(gap) << "\n";
      }
    }
    for (Sample& sample : update.samples) {
      if (table) {
        rows.push_back(std::move(sample));
      } else {
        std::cout << ToLine(sample, context.form);
      }
    }
    std::cout.flush();
    if (!std::cout) return kExitOk;  // nobody reads any more
    if (!options.follow && !update.lives.empty()) {
      if (table) PrintTable(std::move(rows));
      return kExitOk;
    }
  }
  std::cerr << "bankctl: " << reader.fault() << "\n";
  return kExitUnavailable;
}

int ShowEvents(const Context& context, const EventsOptions& options) {
  auto branches = WholeBank(context);
  if (!branches.ok()) return Fail(branches.status());
  // What was printed: another branch may tell it again.
  std::set<std::tuple<std::string, uint64_t, uint64_t>> printed;
  constexpr uint32_t kPastMax = 1000;
  uint32_t past = options.past;
  std::string fault;
  auto give_up = std::chrono::steady_clock::now() + context.timeout;
  for (size_t next = 0; std::chrono::steady_clock::now() < give_up; ++next) {
    Branch& branch = (*branches)[next % branches->size()];
    grpc::ClientContext call;
    if (!options.follow) call.set_deadline(context.DeadlineFromNow());
    v1::StreamEventsRequest request;
    request.set_past(past);
    request.set_follow(options.follow);
    const auto began = std::chrono::steady_clock::now();
    const auto stream = branch.monitor->StreamEvents(&call, request);
    v1::Event event;
    while (stream->Read(&event)) {
      give_up = std::chrono::steady_clock::now() + context.timeout;
      past = kPastMax;
      if (!printed.emplace(event.agent(), event.incarnation(), event.number()).second) continue;
      if (context.form == Form::kTable) {
        std::cout << fmt::format("{} {:<9} {}", LocalTime(event.time_unix_nanos()),
                                 WordOf(event.kind()), event.text())
                  << std::endl;
      } else {
        Json line = {{"time", IsoTime(event.time_unix_nanos())}};
        line.update(
            Pick(event, {"time_unix_nanos", "agent", "kind", "text", "number", "incarnation"}));
        std::cout << LineOf(line) << std::flush;
      }
      if (!std::cout) return kExitOk;
    }
    const grpc::Status status = stream->Finish();
    if (status.ok()) return kExitOk;
    fault = fmt::format("{}: {}", branch.target.address, status.error_message());
    if (status.error_code() != grpc::StatusCode::UNAVAILABLE && !options.follow) break;
    // One that was open until now has just broken: the time begins with that.
    const auto now = std::chrono::steady_clock::now();
    if (now - began > std::chrono::seconds(1)) give_up = now + context.timeout;
    if ((next + 1) % branches->size() == 0) AwaitChange(branches->front(), kRedial);
  }
  std::cerr << "bankctl: " << fault << "\n";
  return kExitUnavailable;
}

}  // namespace bank::bankctl
