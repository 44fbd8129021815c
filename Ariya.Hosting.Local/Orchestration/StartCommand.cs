using System.Runtime.InteropServices;
using Ariya.Hosting.Local.Processes;
using Ariya.Hosting.Local.Servers;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;

namespace Ariya.Hosting.Local.Orchestration;

/// <summary>How the process of a resource is started: a project's assembly, a program, or the server that an image stands for.</summary>
internal sealed class StartCommand(
    DataFolders folders, ResourceLoggerService consoles, DistributedApplicationExecutionContext execution)
{
    private static readonly string s_dotnet = Path.GetFullPath(
        "dotnet", Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", ".."));

    public static ServerRunner RunnerOf(ContainerResource container)
    {
        var image = ImageOf(container);
        return ServerRunners.Find(image) ?? throw new DistributedApplicationException(
            $"'{container.Name}' is a container ({image}), and there is no local server for that image. Build with UseAspire=true"
            + " and a container engine, or give ConnectionStrings__" + container.Name + ".");
    }

    public static bool IsAddressInUse(IResource resource, IReadOnlyList<string> lastLines) => resource is ContainerResource container
        ? RunnerOf(container).IsAddressInUse(lastLines)
        : lastLines.Any(line => line.Contains("address already in use", StringComparison.OrdinalIgnoreCase));

    /// <summary>The variables that the model gives the resource, and the process with them.</summary>
    public async Task<(IReadOnlyDictionary<string, string> Given, ChildProcessStart Start)> ForAsync(
        IResource resource, CancellationToken cancellationToken)
    {
        void Log(string line, bool isError) => consoles.Append(resource.Name, line, isError);

        var given = await ChildEnvironment.OfAsync(resource, execution, consoles, cancellationToken);
        var arguments = await ChildEnvironment.ArgumentsOfAsync(resource, execution, cancellationToken);
        if (resource is ContainerResource container)
        {
            return (given, await RunnerOf(container).PrepareAsync(ContextOf(container, given, arguments, Log), cancellationToken));
        }

        var environment = ChildEnvironment.InheritedFrom(Environment.GetEnvironmentVariables());
        foreach (var (name, value) in given)
        {
            environment[name] = value;
        }

        if (resource is ExecutableResource executable)
        {
            return (given, new ChildProcessStart
            {
                FileName = executable.Command,
                Arguments = arguments,
                WorkingDirectory = executable.WorkingDirectory,
                Environment = environment,
                OnLine = Log,
            });
        }

        var project = resource.Annotations.OfType<ProjectAssemblyAnnotation>().Last();
        return File.Exists(project.AssemblyPath)
            ? (given, new ChildProcessStart
            {
                FileName = s_dotnet,
                Arguments = ["exec", project.AssemblyPath, .. arguments],
                WorkingDirectory = Path.GetDirectoryName(project.ProjectPath)!,
                Environment = environment,
                OnLine = Log,
            })
            : throw new DistributedApplicationException($"{project.AssemblyPath} is missing: build the AppHost again.");
    }

    private static string ImageOf(ContainerResource container) =>
        container.Annotations.OfType<ContainerImageAnnotation>().LastOrDefault()?.FullName
        ?? throw new DistributedApplicationException($"'{container.Name}' has no image.");

    private ServerContext ContextOf(
        ContainerResource container, Dictionary<string, string> given, List<string> arguments, Action<string, bool> log) => new()
        {
            ResourceName = container.Name,
            Image = ImageOf(container),
            Environment = given,
            Arguments = arguments,
            Ports = container.Annotations.OfType<EndpointAnnotation>()
            .Where(e => e.TargetPort is not null).ToDictionary(e => e.TargetPort!.Value, e => e.AllocatedEndpoint!.Port),
            DataDirectory = folders.Of(container),
            IsPersistent = DataFolders.IsKept(container),
            Log = log,
        };
}
