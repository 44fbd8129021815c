using System.Diagnostics;

namespace Ariya.Worker;

internal static class WorkerTelemetry
{
    public static readonly ActivitySource Source = new(Telemetry.ActivitySourceName);
}
