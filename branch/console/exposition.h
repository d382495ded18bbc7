// Exposition: what a Prometheus server scrapes from one branch. PURE, by prometheus-cpp's model.
//
// Every reading of the branch's newest batch is a gauge under the name the catalog derives, its
// attributes are labels; so stream and scrape say the same. Beside them, since the start of the
// process: bank_request_seconds{kind="read|write"} and bank_disk_sync_seconds as histograms, which
// can be added up over branches, and bank_branch_info.
#pragma once

#include <string>

#include "branch/telemetry/process_metrics.h"
#include "branch/telemetry/sample_batch.h"

namespace bank::console {

// `newest`: nullptr if there is none yet.
std::string Expose(const telemetry::SampleBatch* newest, const telemetry::ProcessMetrics& metrics,
                   const telemetry::Agent& agent);

}  // namespace bank::console
