using System.Globalization;
using Ariya.Worker.Audit;
using Ariya.Worker.Cleanup;
using Microsoft.Extensions.Options;

namespace Ariya.Worker.Commands;

/// <summary><c>verify-audit</c>: goes through the chain of seals over the audit.</summary>
internal static class VerifyAudit
{
    public static Task<int> RunAsync(HostApplicationBuilder builder)
    {
        builder.AddCleanup();
        builder.Services.AddScoped<AuditChain>();
        return OneShot.RunAsync(builder, "verify-audit", async (services, cancellationToken) =>
        {
            var report = await services.GetRequiredService<AuditChain>().VerifyAsync(
                seals => Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{seals} seals …")), cancellationToken);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{report.Events} events under {report.Seals} seals, {report.Unsealed} younger than the last seal. Hash of the last seal: {(report.Seals == 0 ? "none" : report.LastHash)}"));
            if (report.Since is { } since)
            {
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"Events up to {since:u} are past their retention and were removed."));
                var kept = services.GetRequiredService<IOptions<RetentionOptions>>().Value.Audit;
                if (since > services.GetRequiredService<TimeProvider>().GetUtcNow() - kept)
                {
                    Console.Error.WriteLine("That is younger than Retention:Audit keeps them: either it was shorter once, or somebody removed them.");
                    return OneShot.Failed;
                }
            }

            if (report.UnknownKeys > 0)
            {
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{report.UnknownKeys} seals were made under an earlier JWT_SECRET; later seals vouch for their hashes."));
            }

            if (report.Fault is { } fault)
            {
                Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"The audit was changed. Seal {fault.Seal}: {fault.What}."));
                return OneShot.Failed;
            }

            Console.WriteLine("The audit is as it was written.");
            return OneShot.Done;
        });
    }
}
