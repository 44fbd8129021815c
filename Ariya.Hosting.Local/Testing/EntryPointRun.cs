using System.Reflection;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Aspire.Hosting.Testing;

/// <summary>
/// The AppHost's own entry point, run on a thread of its own and held twice: before it builds, while the test changes the model,
/// and before it runs, until the test starts it.
/// </summary>
internal sealed class EntryPointRun(Assembly assembly, string[] args, string environment)
{
    // Set on the thread of the entry point only, so that runs side by side do not see each other.
    private static readonly AsyncLocal<EntryPointRun?> s_current = new();

    private readonly TaskCompletionSource<DistributedApplicationBuilder> _builder = New<DistributedApplicationBuilder>();
    private readonly TaskCompletionSource<bool> _mayBuild = New<bool>();
    private readonly TaskCompletionSource<DistributedApplication> _built = New<DistributedApplication>();
    private readonly TaskCompletionSource<bool> _mayRun = New<bool>();
    private readonly TaskCompletionSource<bool> _ended = New<bool>();

    public static EntryPointRun? Current => s_current.Value;

    /// <summary>Faulted with what the entry point threw.</summary>
    public Task Ended => _ended.Task;

    public Task<DistributedApplicationBuilder> StartAsync(CancellationToken cancellationToken)
    {
        var thread = new Thread(Run) { IsBackground = true, Name = "AppHost entry point" };
        thread.Start();
        return _builder.Task.WaitAsync(cancellationToken);
    }

    public async Task<DistributedApplication> BuildAsync(CancellationToken cancellationToken)
    {
        _mayBuild.TrySetResult(true);
        var application = await _built.Task.WaitAsync(cancellationToken);
        return new EntryPointApplication(application, this);
    }

    public void AllowRun() => _mayRun.TrySetResult(true);

    /// <summary>Lets the entry point end where it is held.</summary>
    public void Abandon()
    {
        _mayBuild.TrySetCanceled();
        _mayRun.TrySetCanceled();
    }

    public void Constructing(DistributedApplicationOptions options, HostApplicationBuilderSettings settings)
    {
        options.DisableDashboard = true;
        DistributedApplicationTestingBuilder.ApplyTestSettings(settings);
        settings.EnvironmentName ??= environment;
    }

    public void Building(DistributedApplicationBuilder builder)
    {
        _builder.TrySetResult(builder);
        _mayBuild.Task.GetAwaiter().GetResult();
    }

    public void Built(DistributedApplication application)
    {
        _built.TrySetResult(application);
        _mayRun.Task.GetAwaiter().GetResult();
    }

    private void Run()
    {
        s_current.Value = this;
        try
        {
            var entryPoint = assembly.EntryPoint
                ?? throw new InvalidOperationException($"{assembly.GetName().Name} has no entry point.");
            object?[]? parameters = entryPoint.GetParameters().Length == 0 ? null : [args];
            entryPoint.Invoke(null, BindingFlags.DoNotWrapExceptions, null, parameters, null);
            Fail(new InvalidOperationException("The AppHost ended without building an application."));
            _ended.TrySetResult(true);
        }
        catch (OperationCanceledException) when (_mayBuild.Task.IsCanceled || _mayRun.Task.IsCanceled)
        {
            Fail(new ObjectDisposedException("The testing builder was disposed."));
            _ended.TrySetResult(true);
        }
        catch (Exception e)
        {
            var cause = e is AggregateException { InnerExceptions.Count: 1 } ? e.InnerException! : e;
            Fail(cause);
            _ended.TrySetException(cause);
        }
    }

    private void Fail(Exception cause)
    {
        _builder.TrySetException(cause);
        _built.TrySetException(cause);
        // Nobody may be waiting any more.
        _ = _builder.Task.Exception;
        _ = _built.Task.Exception;
        _ = _ended.Task.ContinueWith(
            t => t.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
    }

    private static TaskCompletionSource<T> New<T>() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}

/// <summary>The application that the entry point runs; it ends when that does.</summary>
internal sealed class EntryPointApplication(DistributedApplication application, EntryPointRun run)
    : DistributedApplication(application.Host)
{
    // The entry point's own Run disposes the host: nothing can be resolved from it then.
    private readonly IHostApplicationLifetime _lifetime = application.Services.GetRequiredService<IHostApplicationLifetime>();
    private bool _isStarted;

    public override async Task StartAsync(CancellationToken cancellationToken = default)
    {
        _isStarted = true;
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var _ = _lifetime.ApplicationStarted.Register(started.SetResult);
        run.AllowRun();
        var first = await Task.WhenAny(started.Task, run.Ended).WaitAsync(cancellationToken);
        await first;
        if (!_lifetime.ApplicationStarted.IsCancellationRequested)
        {
            throw new InvalidOperationException("The AppHost ended without running the application.");
        }
    }

    public override async Task StopAsync(CancellationToken cancellationToken = default)
    {
        _lifetime.StopApplication();
        await run.Ended.WaitAsync(cancellationToken);
    }

    public override async Task RunAsync(CancellationToken cancellationToken = default)
    {
        await StartAsync(cancellationToken);
        await run.Ended.WaitAsync(cancellationToken);
    }

    public override async ValueTask DisposeAsync()
    {
        if (_isStarted)
        {
            _lifetime.StopApplication();
        }

        run.Abandon();
        await run.Ended.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await base.DisposeAsync();
    }
}
