// samples INTERVAL_MS FRAMES: prints this host's samples, one batch a line, as JSON, for the test
// that compares them with what other tools say.
#include <cstdlib>
#include <iostream>

#include "absl/synchronization/blocking_counter.h"
#include "branch/telemetry/collectors/all.h"
#include "branch/telemetry/collectors/sampler.h"
#include "nlohmann/json.hpp"

int main(int argc, char** argv) {
  using namespace bank;
  if (argc != 3) return EXIT_FAILURE;
  const int64_t interval_ms = std::atoll(argv[1]);
  const int batches = std::atoi(argv[2]);
  const SteadyClock clock;
  int left = batches;
  absl::BlockingCounter all(batches);
  telemetry::Sampler sampler(
      {.agent = std::make_shared<const telemetry::Agent>(), .interval_ms = interval_ms},
      telemetry::MakeHostCollectors("/proc", telemetry::HostUnits::OfThisHost()), nullptr, clock,
      [&clock] { return clock.NowNs(); },
      [&](const telemetry::SampleBatchPtr& batch) {
        if (left == 0 || batch->sequence == 0) return;
        nlohmann::json line = {{"time_ns", batch->time_unix_ns},
                               {"readings", nlohmann::json::array()}};
        for (const telemetry::Sample& sample : batch->samples) {
          nlohmann::json attributes = nlohmann::json::object();
          for (const auto& [key, value] : sample.series->attributes) attributes[key] = value;
          line["readings"].push_back({{"metric", sample.series->metric},
                                      {"attributes", attributes},
                                      {"value", sample.value}});
        }
        std::cout << line.dump() << std::endl;
        --left;
        all.DecrementCount();
      });
  sampler.Start();
  all.Wait();
  sampler.Stop();
  return EXIT_SUCCESS;
}
